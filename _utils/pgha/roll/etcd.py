"""Restart or recreate etcd's members one at a time, its leader last, never below the quorum."""

from __future__ import annotations

from typing import Any

from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import values
from pgha.errors import FailedError, TimedOutError
from pgha.roll.stacks import nodes_pending, recreate
from pgha.topology import Node
from pgha.wait import Pending, poll

HEALTHY_DEADLINE_S = 120
"""A member that starts reads its data, and a voter catches up with what was written meanwhile."""
VOTERS_DEADLINE_S = 15
"""A voter of a busy server that misses one question answers the next."""
INTERVAL_S = 1.0


def due(deployment: Deployment) -> list[Node]:
    """Nodes whose etcd runs with old files or in old containers."""
    pending = {node.name for node in nodes_pending(deployment, "etcd")}
    return [
        node
        for node in deployment.topology.nodes_with("etcd")
        if node.name in pending | deployment.stale
    ]


def roll_etcd(deployment: Deployment) -> dict[str, Any]:
    """Bring every member that is due to its present files and text.

    Raises:
        FailedError: a voter is missing already, or one did not come back; nothing more is touched.
    """
    changes: dict[str, Any] = {}
    for node in _in_order(deployment, due(deployment)):
        with deployment.step(f"etcd on {node.name} has its present configuration"):
            changes |= _renew(deployment, node)
    return changes


def _in_order(deployment: Deployment, nodes: list[Node]) -> list[Node]:
    """What is broken first, then learners, which nobody needs; etcd's leader last, so that it
    moves once at most."""
    if not nodes:
        return []
    statuses = _statuses(deployment)
    voters = deployment.topology.voters

    def rank(node: Node) -> tuple[bool, bool, bool]:
        status = statuses[node.host]
        return bool(status["healthy"]), status["is_leader"] is True, node.name in voters

    return sorted(nodes, key=rank)


def _renew(deployment: Deployment, node: Node) -> dict[str, Any]:
    _require_every_voter(deployment, node)
    if node in nodes_pending(deployment, "etcd"):
        recreate(deployment, node, "etcd")
        change = {"old": "old containers", "new": "recreated"}
    else:
        deployment.ask_one(node.host, "postgres_node.restart", "etcd", timeout_s=90)
        change = {"old": "old configuration", "new": "restarted"}
    deployment.stale.discard(node.name)
    _wait_healthy(deployment, node)
    return {f"etcd on {node.name}": change}


def _require_every_voter(deployment: Deployment, node: Node) -> None:
    """Refuse to stop a voter while another one is missing: that could be one too many."""
    if node.name not in deployment.topology.voters:
        return
    needed = len(deployment.topology.voters) - 1
    answer = f"of the other {needed} etcd voters answer"

    def check() -> bool | Pending:
        status = deployment.ask_one(node.host, "etcd_cluster.status", timeout_s=30)
        others = status["healthy_voters"] - (1 if status["healthy"] else 0)
        return True if others >= needed else Pending(f"only {others} {answer}")

    try:
        poll(check, deadline_s=VOTERS_DEADLINE_S, interval_s=INTERVAL_S, what="every other voter")
    except TimedOutError as error:
        raise FailedError(
            f"etcd on {node.name} is not restarted. {error} See `salt-run postgres.status`, mend "
            "that and run the deploy again, which goes on from here."
        ) from error


def _wait_healthy(deployment: Deployment, node: Node) -> None:
    def check() -> bool | Pending:
        status = deployment.ask_one(node.host, "etcd_cluster.status", timeout_s=30)
        missing = len(deployment.topology.voters) - status["healthy_voters"]
        if status["healthy"] and not missing:
            return True
        return Pending(status["error"] or f"{missing} etcd voters do not answer")

    poll(
        check,
        deadline_s=HEALTHY_DEADLINE_S,
        interval_s=INTERVAL_S,
        what=f"etcd on {node.name} and every voter",
    )


def _statuses(deployment: Deployment) -> dict[str, Any]:
    return values(
        deployment.fleet.ask(
            deployment.hosts, "etcd_cluster.status", cluster=deployment.topology.cluster
        )
    )
