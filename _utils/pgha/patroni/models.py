"""What Patroni says, as values (shapes: ``cluster_as_json``, ``get_postgresql_status`` of 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LEADER_ROLES = ("leader", "standby_leader")


@dataclass(frozen=True)
class Member:
    """One line of ``GET /cluster``. Lag in bytes, None when unknown and for the leader."""

    name: str
    role: str
    state: str
    host: str | None = None
    port: int | None = None
    timeline: int | None = None
    lag_bytes: int | None = None
    pending_restart: bool = False
    tags: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Member:
        return cls(
            name=str(raw["name"]),
            role=str(raw["role"]),
            state=str(raw.get("state") or "unknown"),
            host=raw.get("host"),
            port=raw.get("port"),
            timeline=_number(raw.get("timeline")),
            lag_bytes=_lag(raw),
            pending_restart=bool(raw.get("pending_restart")),
            tags=raw.get("tags") or {},
        )

    @property
    def is_leader(self) -> bool:
        return self.role in LEADER_ROLES


@dataclass(frozen=True)
class Cluster:
    """``GET /cluster``: all members known to etcd, as the asked member last saw them."""

    members: tuple[Member, ...]
    paused: bool = False
    scheduled_switchover: Mapping[str, str] | None = None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Cluster:
        return cls(
            members=tuple(Member.from_json(member) for member in raw["members"]),
            paused=bool(raw.get("pause")),
            scheduled_switchover=raw.get("scheduled_switchover"),
        )

    @property
    def leader(self) -> Member | None:
        return next((member for member in self.members if member.is_leader), None)

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True)
class MemberStatus:
    """``GET /patroni``: the member's own state, read from PostgreSQL at this moment.

    ``role`` is ``primary`` or ``replica``; ``server_version`` is text such as ``16.14``;
    ``pending_restart_reason`` is ``{parameter: {"old_value": ..., "new_value": ...}}``,
    ``wal_position`` bytes since the beginning of the WAL: written by the leader, received or
    replayed by a replica; ``replication_state`` is ``streaming`` on a replica that does.
    """

    name: str
    state: str
    role: str
    timeline: int | None
    server_version: str | None
    patroni_version: str | None
    postmaster_start_time: str | None
    pending_restart: bool
    pending_restart_reason: Mapping[str, Mapping[str, Any]]
    paused: bool
    system_identifier: str | None
    wal_position: int | None = None
    replication_state: str | None = None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> MemberStatus:
        patroni = raw.get("patroni") or {}
        return cls(
            name=str(patroni.get("name", "")),
            state=str(raw.get("state") or "unknown"),
            role=str(raw.get("role") or ""),
            timeline=_number(raw.get("timeline")),
            server_version=version_text(raw.get("server_version")),
            patroni_version=patroni.get("version"),
            postmaster_start_time=raw.get("postmaster_start_time"),
            pending_restart=bool(raw.get("pending_restart")),
            pending_restart_reason=raw.get("pending_restart_reason") or {},
            paused=bool(raw.get("pause")),
            system_identifier=raw.get("database_system_identifier"),
            wal_position=_position(raw.get("xlog") or {}),
            replication_state=raw.get("replication_state"),
        )


@dataclass(frozen=True)
class HistoryLine:
    """One timeline change of ``GET /history``: the timeline that ended, where, why and when."""

    timeline: int
    lsn: int
    reason: str
    at: str | None = None
    new_leader: str | None = None

    @classmethod
    def from_json(cls, raw: list[Any]) -> HistoryLine:
        timeline, lsn, reason, *rest = raw
        at, new_leader = [*rest, None, None][:2]
        return cls(int(timeline), int(lsn), str(reason), at, new_leader)


def version_text(server_version: object) -> str | None:
    """``160014`` as ``16.14`` (PostgreSQL's numbering since 10)."""
    if not isinstance(server_version, int):
        return None
    return f"{server_version // 10000}.{server_version % 10000}"


def _lag(raw: Mapping[str, Any]) -> int | None:
    # Received but not replayed WAL is lag as well: an application reading there sees old rows.
    candidates = (_number(raw.get("replay_lag")), _number(raw.get("lag")))
    return next((lag for lag in candidates if lag is not None), None)


def _position(xlog: Mapping[str, Any]) -> int | None:
    named = ("location", "received_location", "replayed_location")
    positions = [place for name in named if (place := _number(xlog.get(name))) is not None]
    return max(positions, default=None)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
