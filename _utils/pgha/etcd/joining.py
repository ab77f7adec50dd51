"""Admitting a member whose data is gone: its old entry goes, a new one comes.

A member must never start with an empty directory under its old id: it would have forgotten votes
that it gave and log entries that the others count on
(https://etcd.io/docs/v3.5/op-guide/runtime-configuration/, "Replace a failed machine").

The quorum margin (voters that answer above the quorum) is never lowered. Taking a dead voter out of
an odd number and adding it again leaves the quorum's size as it was, so a voter is added
directly. Added to an odd number it would raise the quorum before it can answer, so it comes as a
learner there and is promoted when it has caught up.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgha.errors import UnreachableError
from pgha.etcd.client import EtcdClient
from pgha.etcd.errors import NoQuorumError, NotYetError
from pgha.etcd.health import ClientFor, any_healthy_voter
from pgha.etcd.membership import ADD_DEADLINE_S, INTERVAL_S, add_member, find_member
from pgha.etcd.models import Member
from pgha.render.etcd import peer_url
from pgha.topology import Node, Topology
from pgha.wait import Pending, poll


@dataclass(frozen=True)
class Admission:
    """``removed`` is the id of the old entry; ``members`` the peer address of each by name."""

    removed: str | None
    learner: bool
    members: dict[str, str]


def readmit(
    topology: Topology, node: Node, client_for: ClientFor, deadline_s: float = ADD_DEADLINE_S
) -> Admission:
    """Remove a node's entry and announce it again; its etcd must not run.

    Raises:
        ConflictError: the name or the address belongs to another member.
        UnreachableError: no voter has a quorum.
        TimedOutError: etcd did not accept the change, with its last reason.
    """
    members = any_healthy_voter(topology, client_for).members()
    old = find_member(topology, node, members)
    if old:
        _remove(topology, node, old, client_for, deadline_s)
    learner = comes_as_learner(topology, node, [m for m in members if m != old])
    add_member(topology, node, learner, client_for, deadline_s)
    now = any_healthy_voter(topology, client_for).members()
    return Admission(old.id if old else None, learner, _peers(topology, now))


def comes_as_learner(topology: Topology, node: Node, others: list[Member]) -> bool:
    """Whether the node is announced as a learner: always if declared one, else to an odd number."""
    voters = sum(1 for member in others if not member.learner)
    return node.name in topology.learners or voters % 2 == 1


def wait_joined(
    topology: Topology, node: Node, client_for: ClientFor, deadline_s: float
) -> dict[str, bool]:
    """Wait until a node's etcd serves, promote it if it is to vote; ``{"promoted": bool}``.

    Raises:
        TimedOutError: with what it said last.
    """
    poll(
        lambda: _serves(client_for(node)),
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"etcd on {node.host} to join",
    )
    if node.name not in topology.voters or not client_for(node).status().learner:
        return {"promoted": False}
    poll(
        lambda: _promote(topology, node, client_for),
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"etcd to promote {node.name}",
    )
    return {"promoted": True}


def _remove(
    topology: Topology, node: Node, old: Member, client_for: ClientFor, deadline_s: float
) -> None:
    def check() -> bool | Pending:
        voter = any_healthy_voter(topology, client_for)
        try:
            if old.id in [member.id for member in voter.members()]:
                voter.member_remove(old.id)
        except (NotYetError, NoQuorumError) as err:
            return Pending(str(err))
        return True

    poll(
        check,
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"etcd to let the old member of {node.name} go",
    )


def _serves(client: EtcdClient) -> bool | Pending:
    status = client.status()
    if status.leader_id is None:
        return Pending(f"{client.source} follows no leader yet")
    if not status.learner:
        try:
            client.check_quorum()
        except NoQuorumError as err:
            return Pending(str(err))
    return True


def _promote(topology: Topology, node: Node, client_for: ClientFor) -> bool | Pending:
    voter = any_healthy_voter(topology, client_for)
    found = find_member(topology, node, voter.members())
    if found is None:
        raise UnreachableError(f"etcd lists no member of {node.host} any more.")
    try:
        if found.learner:
            voter.member_promote(found.id)
    except (NotYetError, NoQuorumError) as err:
        return Pending(str(err))
    return True


def _peers(topology: Topology, members: tuple[Member, ...]) -> dict[str, str]:
    """Peer address by name; a member that has not started yet has a name only in the pillar."""
    names = {peer_url(topology, node): node.name for node in topology.nodes}
    return {
        member.name or names.get(url, member.id): url
        for member in members
        for url in member.peer_urls
    }
