"""How healthy etcd is, proven by a consistent read through every voter.

``/health``, the member list and Patroni all keep answering while the quorum is lost; only a
linearizable read tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgha.errors import PghaError, UnreachableError
from pgha.etcd.client import EtcdClient
from pgha.etcd.models import Member, Status
from pgha.topology import Node, Topology
from pgha.transport import in_parallel
from pgha.voters import quorum_of

PROBE_TIMEOUT_S = 2.0
ClientFor = Callable[[Node], EtcdClient]


def cluster_status(topology: Topology, node: Node, client_for: ClientFor) -> dict[str, Any]:
    """The answer to ``etcd_cluster.status``, taken within about twice 2 s; never raises.

    Keys: node, endpoint, healthy, is_leader, is_learner, is_client, members, voters,
    healthy_voters, quorum, failure_tolerance (healthy voters above the quorum; 0 at the edge,
    negative when lost), error. ``healthy`` is about this node: a voter reads through the quorum, a
    learner follows a leader, a client (which runs no etcd and has no endpoint) can read through a
    voter.
    """
    reads = voter_reads(topology, client_for)
    is_client = not topology.runs(node, "etcd")
    own = None if is_client else _attempt(client_for(node).status)
    healthy_voters = sum(1 for failure in reads.values() if failure is None)
    members, listing_error = _members(topology, reads, client_for)
    voters = _count_voters(topology, members)
    failure = _failure_of(node, reads, own)
    return {
        "node": node.name,
        "endpoint": None if is_client else client_for(node).url,
        "healthy": failure is None,
        "is_leader": own.is_leader if isinstance(own, Status) else None,
        "is_learner": own.learner if isinstance(own, Status) else None,
        "is_client": is_client,
        "members": [member.line() for member in members],
        "voters": voters,
        "healthy_voters": healthy_voters,
        "quorum": quorum_of(voters),
        "failure_tolerance": healthy_voters - quorum_of(voters),
        "error": failure or listing_error,
    }


def voter_reads(topology: Topology, client_for: ClientFor) -> dict[str, str | None]:
    """Read through every declared voter at once: ``{node name: None or why it failed}``."""

    def probe(node: Node) -> Callable[[], str | None]:
        return lambda: _sentence(_attempt(client_for(node).check_quorum))

    return in_parallel({name: probe(topology.node(name)) for name in topology.voters})


def any_healthy_voter(topology: Topology, client_for: ClientFor) -> EtcdClient:
    """A voter that reads through the quorum.

    Raises:
        UnreachableError: there is none; says why for each voter.
    """
    reads = voter_reads(topology, client_for)
    for name, failure in reads.items():
        if failure is None:
            return client_for(topology.node(name))
    reasons = " ".join(dict.fromkeys(filter(None, reads.values())))
    raise UnreachableError(f"No etcd voter of {topology.cluster} has a quorum: {reasons}")


def _members(
    topology: Topology, reads: dict[str, str | None], client_for: ClientFor
) -> tuple[tuple[Member, ...], str | None]:
    for name, failure in reads.items():
        if failure is None:
            found = _attempt(client_for(topology.node(name)).members)
            if not isinstance(found, PghaError):
                return found, None
    failures = [failure for failure in reads.values() if failure]
    return (), failures[0] if failures else None


def _count_voters(topology: Topology, members: tuple[Member, ...]) -> int:
    """As etcd counts them; as declared while it cannot be asked."""
    return sum(1 for member in members if not member.learner) or len(topology.voters)


def _failure_of(
    node: Node, reads: dict[str, str | None], own: Status | PghaError | None
) -> str | None:
    if own is None:
        return _failure_of_client(node, reads)
    if isinstance(own, PghaError):
        return str(own)
    if node.name in reads:
        return reads[node.name]
    if own.leader_id is None:
        return f"etcd on {node.host} follows no leader; see `pgha-logs etcd` there."
    return None


def _failure_of_client(node: Node, reads: dict[str, str | None]) -> str | None:
    failures = [failure for failure in reads.values() if failure]
    if len(failures) < len(reads):
        return None
    return f"no etcd voter serves {node.host}: {' '.join(dict.fromkeys(failures))}"


def _attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except PghaError as err:
        return err


def _sentence(outcome: object) -> str | None:
    return str(outcome) if isinstance(outcome, PghaError) else None
