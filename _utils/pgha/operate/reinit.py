"""Build a replica anew from the leader's data (``postgres.reinit``)."""

from __future__ import annotations

import time
from typing import Any

from pgha.errors import ConfigurationError, FailedError
from pgha.operate.operation import Operation, Outcome
from pgha.patroni.reinit import CopiesFailedError, Watch, wait
from pgha.render.compose import stack_name
from pgha.topology import Node

BEGIN_TIMEOUT_S = 120
"""The data directory's size is counted, which takes a while when it holds many files."""
PROGRESS_TIMEOUT_S = 30


def reinit(operation: Operation, node: str | None, confirm: str | None = None) -> Outcome:
    """Copy the leader to a replica and wait until that streams on the leader's timeline.

    A copy that is under way, such as one begun by a run that was interrupted, is watched and not
    begun again.

    Args:
        node: name or host.
        confirm: the cluster's name; needed when no other replica is healthy.

    Raises:
        ConfigurationError, NotFoundError: no node, or not one of the cluster.
        FailedError: refused by the server, or the copy did not get anywhere.
    """
    target = _target(operation, node)
    begun = _begin(operation, target, confirm)
    source = f"a new copy of {begun['leader']}"
    changes = {target.name: {"old": begun["state"], "new": source}}
    if operation.test:
        return Outcome(changes, [f"{target.name}'s data would be thrown away for {source}."])
    started = time.monotonic()
    with operation.step(f"{target.name} streams from {source}"):
        seen = _watch(operation, target, begun)
    return Outcome(changes, [_told(target, begun, seen, time.monotonic() - started)])


def _target(operation: Operation, node: str | None) -> Node:
    if not node:
        names = ", ".join(f"{each.name} ({each.host})" for each in operation.topology.nodes)
        raise ConfigurationError(
            [f"Which replica? Name one of {names}: NODE=... (make), or pillar '{{\"node\": ...}}'"]
        )
    return operation.topology.node(node)


def _begin(operation: Operation, target: Node, confirm: str | None) -> dict[str, Any]:
    with operation.step(f"{target.name} may be built anew"):
        begun: dict[str, Any] = operation.ask_one(
            target.host, "patroni.reinit", confirm=confirm, wait=False, test=operation.test,
            timeout_s=BEGIN_TIMEOUT_S,
        )  # fmt: skip
        return begun


def _watch(operation: Operation, target: Node, begun: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        seen: dict[str, Any] = operation.ask_one(
            target.host, "patroni.reinit_progress", timeout_s=PROGRESS_TIMEOUT_S
        )
        return seen

    try:
        return wait(look, Watch(begun["before"], operation.say), f"the copy on {target.name}")
    except CopiesFailedError as error:
        _stop(operation, target)
        raise FailedError(
            f"{error} Its Patroni was stopped so that it does not copy for ever; mend the cause "
            "and run the deploy, which starts it again."
        ) from error


def _stop(operation: Operation, target: Node) -> None:
    stack = stack_name(operation.topology, target, "patroni")
    with operation.step(f"{stack} is stopped"):
        operation.ask_one(operation.controller, "coolify.service_stop", stack, timeout_s=60)


def _told(target: Node, begun: dict[str, Any], seen: dict[str, Any], seconds: float) -> str:
    verb = "went on with" if begun["resumed"] else "made"
    return (
        f"{target.name} {verb} a new copy of {begun['leader']} and streams on timeline "
        f"{seen['timeline']}; it took {seconds:.0f} s."
    )
