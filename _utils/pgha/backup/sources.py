"""Which member a backup is taken from: the streaming replica that is least behind.

A dump reads everything once, which costs the leader's applications; replicas have time for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgha.deploy.fleet import Answer
from pgha.errors import FailedError
from pgha.topology import Node, Topology

LARGEST_LAG = 256 * 1024**2
"""Bytes; sixteen WAL segments. A replica that is further behind is no picture of now."""

REPLICA_ROLES = ("replica", "sync_standby", "quorum_standby")
ATTEMPTS = 3
"""The best replica, the next one, the leader: a source may die, or WAL may conflict with a dump."""


@dataclass(frozen=True)
class Source:
    """A member to read from; ``lag_bytes`` is 0 for the leader."""

    node: Node
    role: str
    lag_bytes: int

    @property
    def is_leader(self) -> bool:
        return self.role == "leader"


def sources(topology: Topology, answers: Mapping[str, Answer]) -> list[Source]:
    """The members to try, best first: replicas by lag, then the leader; at most `ATTEMPTS`.

    Args:
        answers: ``patroni.status`` of each node's minion.

    Raises:
        FailedError: nobody can be read from; says what each member answered.
    """
    own = {
        node.name: answers[node.host].value
        for node in topology.nodes
        if node.host in answers and answers[node.host].value
    }
    timeline = _timeline(own)
    found = [_source(topology.node(name), state, timeline) for name, state in own.items()]
    replicas = sorted(
        (source for source in found if source and not source.is_leader),
        key=lambda source: _order(topology, source),
    )
    leaders = [source for source in found if source and source.is_leader]
    chosen = [*replicas[: ATTEMPTS - len(leaders)], *leaders]
    if not chosen:
        raise FailedError(
            f"No member of {topology.cluster} can be dumped: {_complaints(topology, answers)}. "
            "See `salt-run postgres.status`, deploy to repair, and run again."
        )
    return chosen


def why_not_a_replica(topology: Topology, answers: Mapping[str, Answer]) -> str:
    """What each replica lacks, for the report of a backup that had to use the leader."""
    return _complaints(topology, answers, without_leader=True)


def _order(topology: Topology, source: Source) -> tuple[int, bool, str]:
    # Among equals the one on the controller: usually the Salt master's own server, so no network.
    away = source.node.host != topology.coolify.controller
    return source.lag_bytes, away, source.node.name


def _timeline(own: Mapping[str, Mapping[str, Any]]) -> int | None:
    leaders = [state for state in own.values() if state.get("role") == "leader"]
    return leaders[0].get("timeline") if leaders else None


def _source(node: Node, state: Mapping[str, Any], timeline: int | None) -> Source | None:
    if state.get("role") == "leader" and state.get("state") == "running":
        return Source(node, "leader", 0)
    lag = state.get("lag_bytes")
    streams = state.get("role") in REPLICA_ROLES and state.get("state") == "streaming"
    if not streams or lag is None or lag > LARGEST_LAG:
        return None
    if timeline is not None and state.get("timeline") != timeline:
        return None
    return Source(node, str(state["role"]), int(lag))


def _complaints(
    topology: Topology, answers: Mapping[str, Answer], *, without_leader: bool = False
) -> str:
    said = []
    for node in topology.nodes:
        answer = answers.get(node.host, Answer(silent=True))
        state = answer.value or {}
        if without_leader and state.get("role") == "leader":
            continue
        said.append(f"{node.host} {_said(answer, state)}")
    return "; ".join(said)


def _said(answer: Answer, state: Mapping[str, Any]) -> str:
    if not state:
        return answer.error or "did not answer"
    if state.get("error"):
        return f"says: {str(state['error']).rstrip('.')}"
    lag = state.get("lag_bytes")
    behind = f", {lag} bytes behind" if lag else ""
    return f"is {state.get('role')}, {state.get('state')}{behind}"
