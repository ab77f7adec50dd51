"""Recreate the containers of one stack from the text that Coolify holds, and see them run."""

from __future__ import annotations

from pgha.deploy.deployment import Deployment
from pgha.render.compose import stack_name
from pgha.topology import Node

CONVERGE_TIMEOUT_S = 60
RECREATE_DEADLINE_S = 300
"""Coolify's queue, and the 120 s that PostgreSQL may take to stop (``stop_grace_period``)."""


def recreate(deployment: Deployment, node: Node, component: str) -> None:
    """Have Coolify recreate a stack's containers, a lost one too, and wait until new ones run.

    Does nothing when somebody has recreated them in the meantime.

    Raises:
        FailedError: Coolify refused, or the old containers are still there at the deadline.
    """
    name = stack_name(deployment.topology, node, component)
    answer = deployment.ask_one(
        deployment.controller,
        "coolify.converge",
        components=[component],
        nodes=[node.name],
        not_running=[name] if deployment.limps(node, component) else [],
        apply_changes=True,
        timeout_s=CONVERGE_TIMEOUT_S,
    )
    if name in (*answer["recreated"], *answer["started"]):
        deployment.ask_one(
            node.host,
            "postgres_node.wait_recreated",
            component,
            before=deployment.facts[node.host]["ids"].get(name, []),
            deadline=RECREATE_DEADLINE_S,
            timeout_s=RECREATE_DEADLINE_S + 30,
        )
    deployment.pending.discard(name)


def nodes_pending(deployment: Deployment, component: str) -> list[Node]:
    """Nodes whose running stack is older than the text that Coolify holds."""
    return deployment.awaiting(deployment.topology.nodes_with(component), component)
