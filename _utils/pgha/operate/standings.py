"""The look that a change of the leader begins with: every node's own answer, by one publication."""

from __future__ import annotations

from pgha.deploy.fleet import values
from pgha.errors import RefusedError
from pgha.operate import candidates
from pgha.operate.candidates import Views
from pgha.operate.operation import Operation
from pgha.topology import Node
from pgha.verdict.findings import called

ANSWER_TIMEOUT_S = 15


def standings(operation: Operation) -> Views:
    """``{minion id: patroni.standing}``; None for a minion that is silent or failed."""
    answers = operation.fleet.ask(
        operation.hosts,
        "patroni.standing",
        cluster=operation.topology.cluster,
        timeout_s=ANSWER_TIMEOUT_S,
    )
    return {
        minion: {"error": answer.error} if answer.error else answer.value
        for minion, answer in answers.items()
    }


def the_leader(operation: Operation, views: Views) -> Node:
    """The one node that leads.

    Raises:
        RefusedError: nobody leads, or several say that they do.
    """
    found = candidates.leaders(operation.topology, views)
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(called(node) for node in found)
        raise RefusedError(
            f"{names} both say that they lead; stop writing and see `salt-run postgres.status`."
        )
    raise RefusedError(
        "No node leads, so there is nothing to hand over; Patroni elects a leader within "
        f"{operation.topology.ttl} s if it can, else see the orchestration postgres.failover."
    )


def refuse_paused(views: Views) -> None:
    """Raises RefusedError when Patroni's automatic failover is paused."""
    if candidates.is_paused(views):
        raise RefusedError(
            "The cluster is paused (Patroni's maintenance mode): if the new leader failed, nobody "
            "would take over. Run `patronictl resume` on a node, then run it again."
        )


def resume_forgotten(operation: Operation, views: Views) -> list[str]:
    """Let clients go that an interrupted run left held; returns what was done, as sentences."""
    held = [host for host, view in views.items() if view and view.get("pool_paused")]
    if not held or operation.test:
        return [f"The pool on {host} is paused by an earlier run." for host in held]
    with operation.step(f"clients of {', '.join(held)} go on after an interrupted run"):
        values(
            operation.fleet.ask(
                held, "postgres_pool.resume", cluster=operation.topology.cluster, timeout_s=30
            )
        )
    return [
        f"The pool on {host} was still paused by an earlier run and was resumed." for host in held
    ]
