"""What Coolify's API answers, reduced to what the cluster needs.

Every `from_json` tolerates keys that are absent (a token without `read:sensitive` gets fewer) and
ignores keys it does not know. Compose text never appears in a repr: it is long, and it is not ours
in the case of foreign services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Coolify answers this status only while a start job is queued or runs (contract 5.1); containers
# that merely exist give "starting:unknown".
_START_IN_PROGRESS = "starting:unhealthy"


@dataclass(frozen=True)
class Server:
    """A server that Coolify manages.

    `ip` is what an operator typed into Coolify: usually an address, sometimes a name.
    `row_id` is the number by which services refer to their server; None when not shown.
    `nightly_cleanup` is None when Coolify does not say.
    """

    uuid: str
    name: str
    ip: str
    reachable: bool
    usable: bool
    build_server: bool
    disabled: bool
    nightly_cleanup: bool | None
    row_id: int | None
    shows_sensitive: bool

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Server:
        settings = _mapping(body.get("settings"))
        return cls(
            uuid=_text(body.get("uuid")),
            name=_text(body.get("name")),
            ip=_text(body.get("ip")),
            reachable=bool(body.get("is_reachable", settings.get("is_reachable"))),
            usable=bool(body.get("is_usable", settings.get("is_usable"))),
            build_server=bool(settings.get("is_build_server")),
            disabled=bool(settings.get("force_disabled")),
            nightly_cleanup=_flag(settings.get("force_docker_cleanup")),
            row_id=_number(settings.get("server_id")),
            shows_sensitive="sentinel_token" in settings,
        )


@dataclass(frozen=True)
class Project:
    """A Coolify project. Names are not unique, the uuid is."""

    uuid: str
    name: str

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Project:
        return cls(uuid=_text(body.get("uuid")), name=_text(body.get("name")))


@dataclass(frozen=True)
class Destination:
    """A Docker network of a server that new services may be attached to."""

    uuid: str
    name: str
    network: str

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Destination:
        return cls(
            uuid=_text(body.get("uuid")),
            name=_text(body.get("name")),
            network=_text(body.get("network")),
        )


@dataclass(frozen=True)
class Part:
    """One compose service of a stack. Coolify calls it application or database by its image."""

    uuid: str
    name: str
    status: str
    kind: str

    @classmethod
    def from_json(cls, body: Mapping[str, Any], kind: str) -> Part:
        return cls(
            uuid=_text(body.get("uuid")),
            name=_text(body.get("name")),
            status=_text(body.get("status")),
            kind=kind,
        )


@dataclass(frozen=True)
class Service:
    """A compose stack as Coolify stores it.

    `compose` is None without `read:sensitive`. `parts` are the compose services that Coolify has
    parsed, removed ones included; None when the answer does not list them. `ever_started` is false
    until the first start (`config_hash` is null until then).
    """

    uuid: str
    name: str
    description: str
    status: str
    server_uuid: str | None
    server_row_id: int | None
    server_ip: str | None
    server_name: str | None
    ever_started: bool
    parts: tuple[Part, ...] | None
    compose: str | None = field(repr=False, default=None)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Service:
        server = _mapping(body.get("server")) or _mapping(
            _mapping(body.get("destination")).get("server")
        )
        return cls(
            uuid=_text(body.get("uuid")),
            name=_text(body.get("name")),
            description=_text(body.get("description")),
            status=_text(body.get("status")),
            server_uuid=_optional(server.get("uuid")),
            server_row_id=_number(body.get("server_id")),
            server_ip=_optional(server.get("ip")),
            server_name=_optional(server.get("name")),
            ever_started=body.get("config_hash") is not None,
            parts=_parts(body),
            compose=_optional(body.get("docker_compose_raw")),
        )

    @property
    def starting(self) -> bool:
        """Whether a start job is queued or running right now."""
        return self.status == _START_IN_PROGRESS

    @property
    def part_names(self) -> frozenset[str] | None:
        return None if self.parts is None else frozenset(part.name for part in self.parts)

    def runs_on(self, server: Server) -> bool:
        if self.server_uuid is not None:
            return self.server_uuid == server.uuid
        return self.server_row_id is not None and self.server_row_id == server.row_id


@dataclass(frozen=True)
class Environment:
    """An environment of a project with the services in it."""

    uuid: str
    name: str
    services: tuple[Service, ...]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Environment:
        return cls(
            uuid=_text(body.get("uuid")),
            name=_text(body.get("name")),
            services=tuple(Service.from_json(row) for row in body.get("services") or ()),
        )


def _parts(body: Mapping[str, Any]) -> tuple[Part, ...] | None:
    if "applications" not in body and "databases" not in body:
        return None
    return tuple(
        Part.from_json(row, kind)
        for kind in ("applications", "databases")
        for row in body.get(kind) or ()
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _optional(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _flag(value: Any) -> bool | None:
    return bool(value) if value is not None else None
