"""Coolify's serviceParser: from the stored raw compose to the file on the server (contract 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .databases import kind_of
from .errors import ParserError
from .labels import Identity, coolify_labels, own_labels
from .networks import attach, declare
from .variables import Extracted, Variable, extract
from .volumes import Storage, Volumes

_TOP_LEVEL = ("services", "volumes", "networks", "configs", "secrets")


@dataclass(frozen=True)
class SubResource:
    """What one compose service becomes: a row under `applications` or `databases`."""

    name: str
    kind: str
    image: str | None
    ports: str
    exposes: str | None
    excluded: bool
    fqdn: str | None = None


@dataclass(frozen=True)
class Parsed:
    """`document`: the generated file; the rest are the rows Coolify keeps beside it."""

    document: dict[str, Any]
    variables: list[Variable] = field(default_factory=list)
    storages: list[Storage] = field(default_factory=list)


def sub_resources(raw: Mapping[str, Any]) -> list[SubResource]:
    """The rows the raw file asks for. Raises ParserError."""
    return [_sub_resource(str(name), _service(body)) for name, body in raw["services"].items()]


def rewrite(
    raw: Mapping[str, Any],
    identity: Identity,
    sub_id: Callable[[str], int],
    *,
    stored: Mapping[str, str | None],
    domains: Mapping[str, str] | None = None,
    escape_labels: bool = True,
) -> Parsed:
    """Generate the compose file.

    `sub_id` gives the row id of a compose service, `stored` the values of existing variables,
    `domains` the fqdn of services that have one. Raises ParserError.
    """
    volumes = Volumes(identity.uuid, dict(raw.get("volumes") or {}), {}, [])
    variables: list[Variable] = []
    services: dict[str, Any] = {}
    names = [str(name) for name in raw["services"]]
    for name, body in raw["services"].items():
        service = _service(body)
        extracted = extract(service, {**stored, **{v.key: v.value for v in variables}})
        variables.extend(extracted.variables)
        services[name] = _rewrite_service(
            str(name),
            service,
            identity,
            sub_id(str(name)),
            names,
            volumes,
            extracted,
            (domains or {}).get(str(name)),
            escape_labels=escape_labels,
        )
    document = _top_level(raw, services, volumes, identity.uuid)
    return Parsed(document, variables, volumes.storages)


def _rewrite_service(
    name: str,
    service: dict[str, Any],
    identity: Identity,
    sub_id: int,
    names: list[str],
    volumes: Volumes,
    extracted: Extracted,
    domain: str | None,
    *,
    escape_labels: bool,
) -> dict[str, Any]:
    result = {key: value for key, value in service.items() if key != "exclude_from_hc"}
    if isinstance(service.get("volumes"), list):
        result["volumes"] = volumes.rewrite(name, service["volumes"])
    container = f"{name}-{identity.uuid}"
    result["container_name"] = container
    result["restart"] = service.get("restart") or "unless-stopped"
    result["labels"] = [
        *own_labels(service.get("labels"), escape=escape_labels),
        *coolify_labels(identity, name, sub_id, kind_of(service)),
    ]
    if (networks := attach(service, identity.uuid)) is not None:
        result["networks"] = networks
    result["environment"] = _environment(extracted, identity.uuid, container, names, domain)
    result["env_file"] = _env_file(service.get("env_file"))
    return result


def _environment(
    extracted: Extracted, uuid: str, container: str, names: list[str], domain: str | None
) -> dict[Any, Any]:
    environment = dict(extracted.environment)
    if domain:
        environment["COOLIFY_URL"] = domain
        environment["COOLIFY_FQDN"] = domain.split("://", 1)[-1]
    environment["COOLIFY_RESOURCE_UUID"] = uuid
    environment["COOLIFY_CONTAINER_NAME"] = container
    environment.update(service_names(names))
    return environment


def service_names(names: list[str]) -> dict[str, str]:
    """`SERVICE_NAME_<KEY>` for every service of the stack."""
    return {f"SERVICE_NAME_{_upper(name)}": name for name in names}


def _upper(name: str) -> str:
    return name.upper().replace("-", "_").replace(".", "_")


def _env_file(own: Any) -> list[Any]:
    listed = own if isinstance(own, list) else [own] if own else []
    return [*listed, ".env"]


def _top_level(
    raw: Mapping[str, Any], services: dict[str, Any], volumes: Volumes, uuid: str
) -> dict[str, Any]:
    joined = any(uuid in (body.get("networks") or {}) for body in services.values())
    sections: dict[str, Any] = {
        "services": services,
        "volumes": {
            **{name: body for name, body in volumes.top_level.items() if body is not None},
            **volumes.declared,
        },
        "networks": declare(raw.get("networks"), uuid, used=joined),
        "configs": raw.get("configs"),
        "secrets": raw.get("secrets"),
    }
    return {name: sections[name] for name in _TOP_LEVEL if sections[name]}


def _service(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ParserError("a service is not a mapping")
    return body


def _sub_resource(name: str, service: dict[str, Any]) -> SubResource:
    expose = service.get("expose")
    return SubResource(
        name=name,
        kind=kind_of(service),
        image=str(service["image"]) if service.get("image") else None,
        ports=",".join(_port(port) for port in service.get("ports") or []),
        exposes=",".join(map(str, expose)) if expose else None,
        excluded=str(service.get("restart")) == "no" or bool(service.get("exclude_from_hc")),
    )


def _port(port: Any) -> str:
    if isinstance(port, dict):
        return f"{port.get('published')}:{port.get('target')}"
    return str(port)
