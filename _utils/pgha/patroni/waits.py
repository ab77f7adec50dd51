"""Waiting for what Patroni is about to do: a leader, streaming replicas, a configuration taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pgha.errors import NotFoundError, UnreachableError
from pgha.patroni.client import PatroniClient
from pgha.patroni.models import Cluster, Member
from pgha.patroni.status import member_line
from pgha.topology import Node, Topology
from pgha.wait import Pending, poll

INTERVAL_S = 0.5
ClientFor = Callable[[Node], PatroniClient]


def cluster_view(topology: Topology, node: Node, client_for: ClientFor) -> Cluster:
    """The members as the first node that answers has them: ``node`` itself, then the others.

    The node that asks may be the one whose Patroni does not run: the others have elected a new
    leader meanwhile.

    Raises:
        UnreachableError: no node's Patroni answers; the sentence of ``node`` itself.
    """
    others = [other for other in topology.nodes if other.name != node.name]
    failures: list[UnreachableError] = []
    for asked in (node, *others):
        try:
            return client_for(asked).cluster()
        except UnreachableError as err:
            failures.append(err)
    raise failures[0]


def current_leader(topology: Topology, node: Node, client_for: ClientFor) -> str | Pending:
    """The leader that says of itself that it accepts writes.

    A dead leader stays in etcd until its ttl ends, so the name there is only a hint.
    """
    leader = cluster_view(topology, node, client_for).leader
    if leader is None:
        return Pending("no member holds the leader key")
    if leader.state != "running":
        return Pending(f"{leader.name} holds the leader key and is {leader.state}")
    if not client_for(_node(topology, leader)).is_primary():
        return Pending(f"{leader.name} holds the leader key and does not accept writes yet")
    return leader.name


def wait_leader(topology: Topology, node: Node, client_for: ClientFor, deadline_s: float) -> str:
    """The leader's name as soon as it accepts writes.

    Raises:
        TimedOutError: with what the node knew last.
    """
    return poll(
        lambda: current_leader(topology, node, client_for),
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"a leader of {topology.cluster}",
    )


def wait_streaming(
    topology: Topology,
    node: Node,
    client_for: ClientFor,
    deadline_s: float,
    members: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The members' lines as soon as all of them stream from the leader on its timeline.

    Args:
        members: nodes by name or host; empty for all. The leader itself counts when it runs.

    Raises:
        TimedOutError: naming each member that does not, with its state.
    """
    names = [topology.node(member).name for member in members] or [n.name for n in topology.nodes]

    def check() -> list[dict[str, Any]] | Pending:
        cluster = cluster_view(topology, node, client_for)
        missing = [reason for name in names if (reason := not_streaming(cluster, name))]
        if missing:
            return Pending("; ".join(missing))
        return [member_line(topology, member) for member in cluster.members]

    return poll(
        check,
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"streaming of {', '.join(names)}",
    )


def not_streaming(cluster: Cluster, name: str) -> str | None:
    """Why a member does not stream; None when it does, or when it is the running leader."""
    member, leader = cluster.member(name), cluster.leader
    if member is None:
        return f"{name} has not registered yet"
    if leader is None:
        return f"{name} has no leader to follow"
    if member.is_leader:
        return None if member.state == "running" else f"{name} (leader) is {member.state}"
    if member.state != "streaming":
        return f"{name} is {member.state}"
    if member.timeline != leader.timeline:
        return f"{name} is on timeline {member.timeline}, the leader on {leader.timeline}"
    return None


def _node(topology: Topology, member: Member) -> Node:
    try:
        return topology.node(member.name)
    except NotFoundError as err:
        raise NotFoundError(
            f"The leader in etcd is {member.name}, which the pillar does not declare: {err}"
        ) from err
