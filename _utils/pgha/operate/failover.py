"""Promote a node when the leader is dead and Patroni does not elect one by itself.

Patroni fails over on its own within ``ttl`` seconds. What is left for a human: every survivor is
further behind than ``patroni_maximum_lag_on_failover``, the cluster is paused, or synchronous mode
forbids the candidates; all of them mean that acknowledged rows may be lost, so it is confirmed.
"""

from __future__ import annotations

import time

from pgha.errors import RefusedError
from pgha.operate.candidates import Candidate, Views, choose, for_failover, leaders
from pgha.operate.operation import Operation, Outcome, require_confirmation
from pgha.operate.standings import resume_forgotten, standings
from pgha.topology import Node, Topology
from pgha.verdict.findings import called


def fail_over(
    operation: Operation, target: str | None = None, *, confirm: str | None = None
) -> Outcome:
    """Make a node the leader although the old one can hand over nothing.

    Args:
        target: name or host; without it the survivor that has the most WAL.
        confirm: the cluster's name, typed by the operator.

    Raises:
        NotFoundError: there is no such node.
        RefusedError: a leader is alive, nobody can be promoted, or it was not confirmed.
        FailedError: Patroni did not promote it; says what was seen.
    """
    topology = operation.topology
    wanted = topology.node(target) if target else None
    with operation.step("every node says how it stands"):
        views = standings(operation)
    told = resume_forgotten(operation, views)
    _refuse_alive(topology, views)
    chosen = choose(for_failover(topology, views), wanted)
    require_confirmation(operation, confirm, _loss(chosen))
    old = _old_leader(views)
    changes = {"leader": {"old": old, "new": chosen.node.name}}
    if operation.test:
        plan = [f"Candidate {candidate.sentence}." for candidate in for_failover(topology, views)]
        return Outcome(changes, [*plan, f"{_loss(chosen)}.", *told])
    started = time.monotonic()
    leader = _promote(operation, chosen.node)
    changes["leader"]["new"] = leader
    return Outcome(changes, [*_report(operation, leader, chosen, started), *told])


def _refuse_alive(topology: Topology, views: Views) -> None:
    alive = leaders(topology, views)
    if alive:
        names = " and ".join(called(node) for node in alive)
        raise RefusedError(
            f"{names} leads and is alive; to change the leader without a loss: postgres.switchover."
        )


def _promote(operation: Operation, node: Node) -> str:
    """The leader's name afterwards: Patroni may have elected another one meanwhile."""
    topology = operation.topology
    deadline = topology.ttl + topology.loop_wait + 30
    with operation.step(f"{node.name} leads"):
        leader: str = operation.ask_one(
            node.host,
            "patroni.failover",
            target=node.name,
            deadline=deadline,
            timeout_s=deadline + 60,
        )
    return leader


def _loss(chosen: Candidate) -> str:
    if chosen.lag_bytes is None:
        return f"{called(chosen.node)} would lead, and how many rows that loses is unknown"
    if chosen.lag_bytes == 0:
        return (
            f"{called(chosen.node)} would lead; it had everything that the old leader had written "
            "when it last reported, but rows written after that would be lost"
        )
    return (
        f"{called(chosen.node)} would lead; it is {chosen.lag_bytes} bytes of WAL behind what the "
        "old leader last reported, and these and any later rows would be lost"
    )


def _old_leader(views: Views) -> str | None:
    return next((view["leader"] for view in views.values() if view and view.get("leader")), None)


def _report(operation: Operation, leader: str, chosen: Candidate, started: float) -> list[str]:
    node, seconds = operation.topology.node(leader), time.monotonic() - started
    said = [
        f"{called(node)} leads after {seconds:.1f} s.",
        "Run the deploy when the dead server is back: it rejoins as a replica.",
    ]
    if leader != chosen.node.name:
        said.insert(0, f"Patroni elected {leader} before {chosen.node.name} was promoted.")
    return said
