"""Have Patroni promote a node whose leader is dead, and wait until somebody leads."""

from __future__ import annotations

from functools import partial

from pgha.errors import FailedError, UnreachableError
from pgha.operate.reach import Asked
from pgha.patroni.client import PatroniClient
from pgha.patroni.waits import ClientFor, current_leader
from pgha.topology import Node, Topology
from pgha.wait import Pending, poll

INTERVAL_S = 0.5


def promote(
    client: PatroniClient, topology: Topology, new: Node, client_for: ClientFor, deadline_s: float
) -> str:
    """The name of the node that leads then: the asked one, or whom Patroni elected meanwhile.

    The dead leader's key stays in etcd until its ttl ends; the request waits there for it.

    Args:
        client: the new leader's Patroni, with its password.

    Raises:
        FailedError: Patroni refused and nobody leads. TimedOutError: nobody leads in time.
    """
    asked = Asked(partial(client.failover, new.name, deadline_s))

    def check() -> str | Pending:
        leader = _leader(topology, new, client_for)
        if isinstance(leader, Pending) and asked.refusal:
            raise FailedError(f"{asked.refusal} Last seen: {leader.seen}.")
        return leader

    return poll(
        check, deadline_s=deadline_s, interval_s=INTERVAL_S, what=f"{new.name} as the leader"
    )


def _leader(topology: Topology, new: Node, client_for: ClientFor) -> str | Pending:
    try:
        return current_leader(topology, new, client_for)
    except UnreachableError as err:
        return Pending(str(err))
