"""Hand the lead to another node while the clients of the pools wait instead of failing.

On the Salt master: judge who may lead, start the guards, let the leader write a checkpoint, then
have one server carry out `pgha.operate.handover`. That server is neither the old nor the new leader
where there is a third one, so that neither's death also ends the process that resumes the pools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from pgha.deploy.fleet import Answer
from pgha.errors import RefusedError, TimedOutError
from pgha.operate.candidates import Candidate, Views, choose, for_switchover, may_pass
from pgha.operate.handover import HOLD_LIMIT_S, PAUSE_LIMIT_S, STREAMING_DEADLINE_S
from pgha.operate.operation import Operation, Outcome
from pgha.operate.standings import refuse_paused, resume_forgotten, standings, the_leader
from pgha.topology import Node
from pgha.verdict.findings import called
from pgha.wait import Pending, poll

CHECKPOINT_DEADLINE_S = 300.0
"""A large shared_buffers on a slow disk; clients go on meanwhile."""
CAUGHT_UP_S = 15.0
"""A replica that has lost its leader looks for it again every 5 s."""
ANNOUNCED_S = 60.0
"""The hand-over begins within this, or its stop is as slow as any other."""


def switch_over(
    operation: Operation,
    target: str | None = None,
    *,
    force: bool = False,
    pause_limit_s: float = PAUSE_LIMIT_S,
) -> Outcome:
    """Make a node the leader and wait until every other one streams from it.

    Args:
        target: name or host; without it the eligible replica with the smallest lag.
        force: go on although a pool cannot be held (its clients may see errors) or clients hold
            transactions for longer than ``pause_limit_s`` seconds (they are broken off).

    Returns:
        ``changes`` ``{"leader": {old, new}}``, empty when the target leads already; ``report`` the
        sentences for the operator.

    Raises:
        NotFoundError: there is no such node.
        RefusedError: nobody may lead, with a reason per candidate, or the cluster is paused.
        FailedError: begun and not ended well; says who leads. No client is held any more.
    """
    wanted = operation.topology.node(target) if target else None
    with operation.step("every node says how it stands"):
        views = standings(operation)
    told = resume_forgotten(operation, views)
    leader = the_leader(operation, views)
    if wanted == leader:
        return Outcome({}, [f"{called(leader)} leads already.", *told])
    refuse_paused(views)
    views, candidates = _candidates(operation, leader, views, wanted)
    chosen = choose(candidates, wanted).node
    changes = {"leader": {"old": leader.name, "new": chosen.name}}
    if operation.test:
        return Outcome(changes, [*_plan(candidates), *told])
    told += prepare(operation, leader, force)
    report = _carry_out(operation, views, leader, chosen, force, pause_limit_s)
    changes["leader"]["new"] = report["new"]
    return Outcome(changes, [*sentences(operation, report), *told])


def sentences(operation: Operation, report: Mapping[str, Any]) -> list[str]:
    """What the operator reads about a hand-over; ``report`` is `pgha.operate.handover.Report`."""
    old, new = (operation.topology.node(report[which]) for which in ("old", "new"))
    phases = ", ".join(f"{name} {ms} ms" for name, ms in report["phases"].items())
    return [
        f"{called(new)} leads instead of {called(old)}, timeline {report['timeline_before']} -> "
        f"{report['timeline_after']}; every replica streams from it.",
        f"Clients of the pools waited at most {report['held_ms'] / 1000:.2f} s ({phases}).",
        *report["errors"],
    ]


def _candidates(
    operation: Operation, leader: Node, views: Views, wanted: Node | None
) -> tuple[Views, list[Candidate]]:
    """Who may lead, and what each node said; one that is only behind is given time to catch up."""
    candidates = for_switchover(operation.topology, leader, views)
    if operation.test or not may_pass(candidates, wanted):
        return views, candidates

    def look() -> bool | Pending:
        nonlocal views, candidates
        views = standings(operation)
        candidates = for_switchover(operation.topology, leader, views)
        return Pending("nobody") if may_pass(candidates, wanted) else True

    who = wanted.name if wanted else "a replica"
    with operation.step(f"{who} catches up with {leader.name}"), suppress(TimedOutError):
        poll(look, deadline_s=CAUGHT_UP_S, interval_s=1.0, what=f"{who} to catch up")
    return views, candidates


def _plan(candidates: Sequence[Candidate]) -> list[str]:
    return [f"Candidate {candidate.sentence}." for candidate in candidates]


def prepare(operation: Operation, leader: Node, force: bool) -> list[str]:
    """Guards on every server and a checkpoint on the leader, so that its shutdown is short.

    Returns what could not be done and was put up with by ``force``; raises RefusedError without.
    """
    ask, cluster = operation.fleet.ask, operation.topology.cluster
    with (
        operation.step("every pool has its guard, the leader has written a checkpoint"),
        ThreadPoolExecutor(max_workers=2) as workers,
    ):
        guards = workers.submit(
            ask, operation.hosts, "postgres_pool.guard", cluster=cluster, timeout_s=30
        )
        checkpoint = workers.submit(
            ask,
            [leader.host],
            "postgres_db.checkpoint",
            timeout=CHECKPOINT_DEADLINE_S,
            announce=ANNOUNCED_S,
            cluster=cluster,
            timeout_s=CHECKPOINT_DEADLINE_S + 30,
        )
        unguarded = _failures(guards.result())
        slow = _failures(checkpoint.result())
    if (unguarded or slow) and not force:
        raise RefusedError(
            f"{' '.join([*unguarded, *slow])} Nothing was changed. Mend it, or go on without: "
            "FORCE=1 (make), force (pillar)."
        )
    return [*unguarded, *slow]


def _failures(answers: Mapping[str, Answer]) -> list[str]:
    return [
        f"{minion}: {str(answer.error or 'its minion does not answer').rstrip('.')}."
        for minion, answer in sorted(answers.items())
        if answer.error or answer.silent
    ]


def _carry_out(
    operation: Operation,
    views: Views,
    leader: Node,
    chosen: Node,
    force: bool,
    pause_limit_s: float,
) -> dict[str, Any]:
    by = coordinator(operation, views, leader, chosen)
    with operation.step(f"{chosen.name} leads instead of {leader.name}, by {by.host}"):
        report: dict[str, Any] = operation.ask_one(
            by.host,
            "patroni.switchover",
            leader=leader.name,
            target=chosen.name,
            force=force,
            pause_limit=pause_limit_s,
            timeout_s=HOLD_LIMIT_S + STREAMING_DEADLINE_S + 30,
        )
    return report


def coordinator(operation: Operation, views: Views, leader: Node, chosen: Node) -> Node:
    """The server that carries it out: a third one that answers, else the chosen one."""
    third = [
        node
        for node in operation.topology.nodes
        if node not in (leader, chosen) and views.get(node.host)
    ]
    return third[0] if third else chosen
