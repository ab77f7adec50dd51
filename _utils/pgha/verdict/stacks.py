"""What Coolify says, beside what the components say themselves.

Coolify's status is up to minutes stale, so it is never a reason to call the cluster unhealthy; a
status that contradicts the component's own answer is worth a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.coolify.stacks import COMPONENTS, stack_name
from pgha.topology import Node, Topology
from pgha.verdict.findings import Findings, called


def judge_coolify(
    topology: Topology, coolify: Mapping[str, Any] | None, running: Mapping[str, Mapping[str, bool]]
) -> Findings:
    """Where Coolify and the components contradict each other.

    Args:
        coolify: ``{"reachable", "stacks": {stack: status}, "error"}``, None without an answer.
        running: component -> node name -> whether the component itself answered well.
    """
    findings = Findings()
    if coolify is None:
        findings.differ(
            f"Coolify's view is unknown: the minion {topology.coolify.controller} did not answer."
        )
    elif not coolify.get("reachable"):
        text = str(coolify.get("error") or f"no answer from {topology.coolify.url}")
        findings.differ(f"Coolify's view is unknown: {text.strip().rstrip('.')}.")
    else:
        for node in topology.nodes:
            _compare(node, stacks_of(topology, node, coolify), running, findings)
        _name_leftovers(topology, coolify, findings)
    return findings


def stacks_of(
    topology: Topology, node: Node, coolify: Mapping[str, Any] | None
) -> dict[str, str | None] | None:
    """Component that the node runs -> status of its stack as Coolify has it (None: no such stack).

    None if Coolify's view is unknown.
    """
    if coolify is None or not coolify.get("reachable"):
        return None
    statuses = coolify.get("stacks") or {}
    names = {
        part: stack_name(topology.cluster, node.name, part)
        for part in COMPONENTS
        if topology.runs(node, part)
    }
    return {part: _status(statuses.get(name)) for part, name in names.items()}


def says_running(status: str | None) -> bool:
    """True for ``running:healthy``, ``running:unknown`` and the like."""
    return status is not None and status.partition(":")[0] == "running"


def _name_leftovers(topology: Topology, coolify: Mapping[str, Any], findings: Findings) -> None:
    statuses = coolify.get("stacks") or {}
    for name in topology.etcd_clients:
        stack = stack_name(topology.cluster, name, "etcd")
        if stack in statuses:
            findings.differ(
                f"Coolify still has the stack {stack}, but {called(topology.node(name))} should "
                "run no etcd; the deploy says how to remove it."
            )


def _compare(
    node: Node,
    statuses: Mapping[str, str | None] | None,
    running: Mapping[str, Mapping[str, bool]],
    findings: Findings,
) -> None:
    for component, status in (statuses or {}).items():
        answers = running.get(component, {}).get(node.name)
        if answers is None:
            continue
        what = f"the {component} stack of {called(node)}"
        if status is None and answers:
            findings.differ(f"Coolify does not know {what}, but the component answers.")
        elif says_running(status) and not answers:
            findings.differ(f"Coolify reports {what} as {status}, but the component does not.")
        elif answers and not says_running(status):
            findings.differ(
                f"Coolify reports {what} as {status}, but the component answers; Coolify's status "
                "can be minutes old."
            )


def _status(stored: object) -> str | None:
    if isinstance(stored, Mapping):
        stored = stored.get("status")
    return str(stored) if stored else None
