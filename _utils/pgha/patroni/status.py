"""A node's answer to ``patroni.status``: what it and its cluster are, or why nobody knows."""

from __future__ import annotations

from typing import Any

from pgha.errors import PghaError, UnreachableError
from pgha.patroni.client import PatroniClient
from pgha.patroni.models import LEADER_ROLES, Cluster, Member, MemberStatus
from pgha.topology import Node, Topology
from pgha.transport import in_parallel

ROLE_OF_ITS_OWN = {"primary": "leader", "standby_leader": "standby_leader", "replica": "replica"}


def node_status(topology: Topology, node: Node, client: PatroniClient) -> dict[str, Any]:
    """The brief of one node; never raises for a Patroni that does not answer.

    ``/cluster`` (etcd's view) and ``/patroni`` (PostgreSQL's own answer) are asked at the same
    time: when PostgreSQL hangs only the second one does, and the first still shows the members.
    Keys: cluster, node, role, state, timeline, lag_bytes, leader, members, pending_restart,
    pending_restart_reason, paused, nofailover (the tag), wal_position, postgresql_version,
    patroni_version, postmaster_start_time, error (a sentence, or None when all is well).
    """
    answers = in_parallel({"cluster": lambda: _of_cluster(client), "own": lambda: _of_self(client)})
    cluster, own = answers["cluster"], answers["own"]
    errors = [str(answer) for answer in (cluster, own) if isinstance(answer, PghaError)]
    brief = {**_unknown(topology, node), "error": " ".join(dict.fromkeys(errors)) or None}
    if isinstance(cluster, Cluster):
        brief.update(_from_cluster(topology, node, cluster))
    if isinstance(own, MemberStatus):
        brief.update(_from_self(own, brief))
    elif isinstance(cluster, Cluster) and isinstance(own, PghaError):
        # The other members go on reporting a frozen node as running until its ttl ends, so the
        # state in etcd says nothing when the node itself cannot confirm it.
        brief.update(state="unknown", error=_only_patroni_answers(node, own))
    return brief


def member_line(topology: Topology, member: Member) -> dict[str, Any]:
    """One member for people: name, host, role, state, timeline, lag_bytes."""
    hosts = {node.name: node.host for node in topology.nodes}
    return {
        "name": member.name,
        "host": hosts.get(member.name, member.host),
        "role": member.role,
        "state": member.state,
        "timeline": member.timeline,
        "lag_bytes": member.lag_bytes,
    }


def _of_cluster(client: PatroniClient) -> Cluster | PghaError:
    try:
        return client.cluster()
    except PghaError as err:
        return err


def _of_self(client: PatroniClient) -> MemberStatus | PghaError:
    try:
        return client.member()
    except PghaError as err:
        return err


def _only_patroni_answers(node: Node, failure: PghaError) -> str:
    if not isinstance(failure, UnreachableError):
        return str(failure)
    return (
        f"Patroni on {node.host} answers but its PostgreSQL does not; see `pgha-logs patroni` and "
        "the disk there."
    )


def _role(own: MemberStatus, in_etcd: str | None) -> str | None:
    # What is in etcd can be old (a leader demoted while etcd had no quorum stays leader there), so
    # PostgreSQL decides between leader and replica, and etcd tells which kind.
    by_itself = ROLE_OF_ITS_OWN.get(own.role)
    leads = in_etcd in LEADER_ROLES
    if by_itself is None or (in_etcd and leads == (by_itself in LEADER_ROLES)):
        return in_etcd
    return by_itself


def _unknown(topology: Topology, node: Node) -> dict[str, Any]:
    return {
        "cluster": topology.cluster,
        "node": node.name,
        "role": None,
        "state": None,
        "timeline": None,
        "lag_bytes": None,
        "leader": None,
        "members": [],
        "pending_restart": False,
        "pending_restart_reason": {},
        "paused": False,
        "nofailover": False,
        "wal_position": None,
        "postgresql_version": None,
        "patroni_version": None,
        "postmaster_start_time": None,
        "error": None,
    }


def _from_cluster(topology: Topology, node: Node, cluster: Cluster) -> dict[str, Any]:
    known: dict[str, Any] = {
        "leader": cluster.leader.name if cluster.leader else None,
        "members": [member_line(topology, member) for member in cluster.members],
        "paused": cluster.paused,
    }
    member = cluster.member(node.name)
    if member:
        known.update(
            role=member.role,
            state=member.state,
            timeline=member.timeline,
            lag_bytes=member.lag_bytes,
            pending_restart=member.pending_restart,
            nofailover=bool(member.tags.get("nofailover")),
        )
    return known


def _state(own: MemberStatus, in_etcd: str | None) -> str:
    # A replica says "running" of itself and "streaming" in etcd; the second one tells more, and is
    # up to loop_wait seconds old.
    if own.state == "running" and own.replication_state == "streaming":
        return own.replication_state
    if own.state == "running" and in_etcd not in (None, "unknown"):
        return str(in_etcd)
    return own.state


def _from_self(own: MemberStatus, brief: dict[str, Any]) -> dict[str, Any]:
    return {
        "role": _role(own, brief["role"]),
        "state": _state(own, brief["state"]),
        "timeline": own.timeline if own.timeline is not None else brief["timeline"],
        "pending_restart": own.pending_restart,
        "pending_restart_reason": {
            name: dict(why) for name, why in own.pending_restart_reason.items()
        },
        "paused": brief["paused"] or own.paused,
        "wal_position": own.wal_position,
        "postgresql_version": own.server_version,
        "patroni_version": own.patroni_version,
        "postmaster_start_time": own.postmaster_start_time,
    }
