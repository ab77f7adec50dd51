"""Joining members, and waiting for the quorum that everything else needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pgha.errors import ConflictError, UnreachableError
from pgha.etcd.client import EtcdClient
from pgha.etcd.errors import NoQuorumError, NotYetError
from pgha.etcd.health import ClientFor, any_healthy_voter, voter_reads
from pgha.etcd.models import Member
from pgha.render.etcd import peer_url
from pgha.topology import Node, Topology
from pgha.voters import quorum_of
from pgha.wait import Pending, poll

INTERVAL_S = 0.5
ADD_DEADLINE_S = 30.0


@dataclass(frozen=True)
class MemberPlan:
    """``member`` is the node's entry when there is one; ``changes`` what adding it changes."""

    member: Member | None
    changes: dict[str, Any]


def wait_quorum(
    topology: Topology, client_for: ClientFor, deadline_s: float, voters: int | None = None
) -> list[str]:
    """Wait until enough voters read through the quorum; returns the names of those that do.

    Args:
        voters: how many must; by default the quorum of the declared voters.

    Raises:
        TimedOutError: with the reason of each voter that does not.
        ConflictError: they are voters of different etcd clusters.
    """
    needed = voters or quorum_of(len(topology.voters))

    def check() -> list[str] | Pending:
        reads = voter_reads(topology, client_for)
        healthy = [name for name, failure in reads.items() if failure is None]
        failures = " ".join(failure for failure in reads.values() if failure)
        return healthy if len(healthy) >= needed else Pending(failures)

    found = poll(
        check,
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"{needed} of {len(topology.voters)} etcd voters",
    )
    _refuse_two_clusters(topology, found, client_for)
    return found


def _refuse_two_clusters(topology: Topology, voters: list[str], client_for: ClientFor) -> None:
    # Voters that were given up in a recovery and come back together have a quorum of their own.
    clusters: dict[str, list[str]] = {}
    for name in voters:
        clusters.setdefault(client_for(topology.node(name)).check_quorum(), []).append(name)
    if len(clusters) > 1:
        sides = " and ".join(", ".join(names) for names in clusters.values())
        raise ConflictError(
            f"The etcd voters {sides} are of different clusters, each with a quorum of its own, so "
            "two leaders are possible: stop those that were given up (`salt HOST "
            "postgres_data.stop patroni,etcd`) and run the deploy, which lets them in anew."
        )


def plan_member(topology: Topology, node: Node, learner: bool, client_for: ClientFor) -> MemberPlan:
    """Compare etcd's member list with the declaration of one node; changes nothing.

    Raises:
        ConflictError: the name or the address belongs to something else, or the kind differs.
        UnreachableError: no voter has a quorum.
    """
    members = any_healthy_voter(topology, client_for).members()
    found = find_member(topology, node, members)
    if found is None:
        url = peer_url(topology, node)
        return MemberPlan(None, {node.name: {"old": None, "new": _described(url, learner)}})
    _check_kind(node, found, learner)
    return MemberPlan(found, {})


def add_member(
    topology: Topology,
    node: Node,
    learner: bool,
    client_for: ClientFor,
    deadline_s: float = ADD_DEADLINE_S,
) -> Member:
    """Announce a node's etcd, waiting while etcd does not want its members changed yet.

    Raises:
        TimedOutError: with etcd's last reason.
        ConflictError: the address is announced already.
    """
    url = peer_url(topology, node)

    def check() -> Member | Pending:
        voter = any_healthy_voter(topology, client_for)
        try:
            return voter.member_add([url], learner)
        except (NotYetError, NoQuorumError, UnreachableError) as err:
            return _added_after_all(voter, url) or Pending(str(err))

    return poll(
        check,
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"etcd to accept {node.name}",
    )


def remove_member(topology: Topology, node: Node, client_for: ClientFor) -> Member | None:
    """Take a node's member out for ever; None when there is none."""
    voter = any_healthy_voter(topology, client_for)
    found = find_member(topology, node, voter.members())
    if found:
        voter.member_remove(found.id)
    return found


def find_member(topology: Topology, node: Node, members: Sequence[Member]) -> Member | None:
    """The entry of a node, which has its name or, not started yet, only its address.

    Raises:
        ConflictError: the name or the address belongs to something else.
    """
    url = peer_url(topology, node)
    by_name = [member for member in members if member.name == node.name]
    by_url = [member for member in members if url in member.peer_urls]
    for member in by_name:
        if url not in member.peer_urls:
            raise ConflictError(
                f"etcd knows {node.name} at {', '.join(member.peer_urls)}, the pillar declares "
                f"{url}; correct the pillar, or remove member {member.id} with "
                f"`etcdctl member remove {member.id}` if that server is gone for good."
            )
    for member in by_url:
        if member.name not in ("", node.name):
            raise ConflictError(
                f"etcd knows {url} as {member.name}, the pillar calls it {node.name}; give the "
                "node its old name, or remove that member first."
            )
    return next(iter([*by_name, *by_url]), None)


def _check_kind(node: Node, member: Member, learner: bool) -> None:
    if member.learner == learner:
        return
    is_now, wanted = _kind(member.learner), _kind(learner)
    how = "promote it with `etcdctl member promote`" if member.learner else "remove it and add it"
    raise ConflictError(
        f"{node.name} is a {is_now} in etcd and the pillar declares a {wanted}; to change "
        f"that {how} (member {member.id}), or change etcd_voters."
    )


def _added_after_all(voter: EtcdClient, url: str) -> Member | None:
    # A timed out request may have been carried out: look before asking a second time.
    try:
        return next((m for m in voter.members() if url in m.peer_urls), None)
    except NoQuorumError:
        return None


def _described(url: str, learner: bool) -> dict[str, Any]:
    return {"peer_url": url, "kind": _kind(learner)}


def _kind(learner: bool) -> str:
    return "learner" if learner else "voter"
