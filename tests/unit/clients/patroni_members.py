"""Members of a cluster that answer as the test says, without sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pgha.errors import PghaError
from pgha.patroni.models import Cluster, MemberStatus
from pgha.topology import Node

LEADER, REPLICA, OTHER = "postgres-node-1", "postgres-node-2", "postgres-node-3"


def own(name: str, **changes: Any) -> dict[str, Any]:
    """``GET /patroni`` of a healthy member."""
    leads = name == LEADER
    wal = {"location": 1000} if leads else {"replayed_location": 1000}
    healthy = {
        "state": "running",
        "role": "primary" if leads else "replica",
        "timeline": 2,
        "postmaster_start_time": "09:00",
        "xlog": wal,
        "patroni": {"name": name},
    }
    return {**healthy, **({} if leads else {"replication_state": "streaming"}), **changes}


def line(name: str, **changes: Any) -> dict[str, Any]:
    """A member's entry of ``GET /cluster``."""
    leads = name == LEADER
    healthy = {
        "name": name,
        "role": "leader" if leads else "replica",
        "state": "running" if leads else "streaming",
        "timeline": 2,
    }
    return {**healthy, **changes}


@dataclass
class Members:
    """``own[name]`` and ``lines`` are what the members say; ``posted`` what they were told."""

    own: dict[str, Any] = field(
        default_factory=lambda: {name: own(name) for name in (LEADER, REPLICA, OTHER)}
    )
    lines: list[dict[str, Any]] = field(
        default_factory=lambda: [line(name) for name in (LEADER, REPLICA, OTHER)]
    )
    paused: bool = False
    posted: list[str] = field(default_factory=list)
    answers: Mapping[str, PghaError] = field(default_factory=dict)

    def client_for(self, node: Node) -> Any:
        return _Client(self, node.name)


@dataclass
class _Client:
    members: Members
    name: str

    def cluster(self) -> Cluster:
        return Cluster.from_json({"members": self.members.lines, "pause": self.members.paused})

    def member(self) -> MemberStatus:
        said = self.members.own[self.name]
        if isinstance(said, PghaError):
            raise said
        return MemberStatus.from_json(said)

    def is_primary(self) -> bool:
        return self.member().role == "primary" and self.member().state == "running"

    def restart(self) -> None:
        self.members.posted.append(self.name)
        if self.name in self.members.answers:
            raise self.members.answers[self.name]
