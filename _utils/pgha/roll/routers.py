"""Recreate the routers one server at a time: the applications of the other servers keep theirs."""

from __future__ import annotations

from typing import Any

from pgha.deploy.deployment import Deployment
from pgha.roll.stacks import nodes_pending, recreate

PROOF_DEADLINE_S = 60


def roll_routers(deployment: Deployment) -> dict[str, Any]:
    """Recreate what is due and prove each router before the next one is touched.

    Raises:
        FailedError: a router does not lead to the leader afterwards.
    """
    changes: dict[str, Any] = {}
    for node in nodes_pending(deployment, "router"):
        with deployment.step(f"the router of {node.host} is recreated and leads to the leader"):
            recreate(deployment, node, "router")
            deployment.ask_one(
                node.host,
                "postgres_node.prove",
                timeout=PROOF_DEADLINE_S,
                timeout_s=PROOF_DEADLINE_S + 20,
            )
        changes[f"router of {node.name}"] = {"old": "old containers", "new": "recreated"}
    return changes
