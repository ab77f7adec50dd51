"""May the next member be touched? Only when this one serves as it did before.

Asked are the members themselves: what is in etcd is up to ``loop_wait`` seconds old, and a member
that has just been stopped still streams there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.patroni.client import PatroniClient
from pgha.patroni.models import Cluster, MemberStatus
from pgha.patroni.waits import INTERVAL_S, ClientFor
from pgha.topology import Node, Topology
from pgha.wait import Pending, poll


def wait_ready(
    topology: Topology,
    node: Node,
    client_for: ClientFor,
    deadline_s: float,
    started_before: str | None = None,
) -> dict[str, Any]:
    """Wait until a member leads and takes writes, or streams on its leader's timeline with a lag
    that lets it take over (``patroni_maximum_lag_on_failover``).

    Args:
        started_before: start time of the PostgreSQL that is being replaced; only another counts.

    Returns:
        ``{"node", "role", "timeline", "lag_bytes", "pending_restart_reason"}``.

    Raises:
        TimedOutError: with what was seen last.
    """
    return poll(
        lambda: _look(topology, node, client_for, started_before),
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"{node.name} to serve again",
    )


def _look(
    topology: Topology, node: Node, client_for: ClientFor, started_before: str | None
) -> dict[str, Any] | Pending:
    client = client_for(node)
    own, cluster = client.member(), client.cluster()
    if own.state != "running":
        return Pending(f"{node.name} is {own.state}")
    if own.postmaster_start_time == started_before:
        return Pending(f"PostgreSQL on {node.host} has not been restarted yet")
    if own.role == "primary":
        return _leading(node, own, client)
    return _following(topology, node, own, cluster, client_for)


def _leading(node: Node, own: MemberStatus, client: PatroniClient) -> dict[str, Any] | Pending:
    if not client.is_primary():
        return Pending(f"{node.name} leads and does not take writes yet")
    return _ready(own, "leader", None)


def _following(
    topology: Topology, node: Node, own: MemberStatus, cluster: Cluster, client_for: ClientFor
) -> dict[str, Any] | Pending:
    if own.replication_state != "streaming":
        return Pending(f"{node.name} does not stream ({own.replication_state or 'no connection'})")
    if cluster.leader is None:
        return Pending(f"{node.name} has no leader to follow")
    leader = client_for(topology.node(cluster.leader.name)).member()
    if own.timeline != leader.timeline:
        return Pending(f"{node.name} is on timeline {own.timeline}, the leader {leader.timeline}")
    lag = max(0, (leader.wal_position or 0) - (own.wal_position or 0))
    if lag > topology.maximum_lag_on_failover:
        return Pending(f"{node.name} is {lag} bytes behind its leader")
    return _ready(own, "replica", lag)


def _ready(own: MemberStatus, role: str, lag: int | None) -> dict[str, Any]:
    reasons: Mapping[str, Mapping[str, Any]] = own.pending_restart_reason
    return {
        "node": own.name,
        "role": role,
        "timeline": own.timeline,
        "lag_bytes": lag,
        "pending_restart_reason": {name: dict(change) for name, change in reasons.items()},
    }
