"""Stop a stack of this server in Docker itself: at once, and whether Coolify answers or not.

A container that was stopped so does not come back with the engine (``unless-stopped``); Coolify
starts it again when a deploy or a recovery asks for it.
"""

from __future__ import annotations

from pgha.errors import FailedError, NotFoundError
from pgha.node.docker import Container, Docker
from pgha.node.facts import slug
from pgha.render.compose import stack_name
from pgha.topology import Node, Topology

GRACE_S = {"etcd": 30, "patroni": 120, "router": 20}
"""The ``stop_grace_period`` of each stack's slowest container (`pgha.render.compose`)."""


def stack_containers(
    topology: Topology, node: Node, component: str, docker: Docker
) -> list[Container]:
    """The containers of one of this node's stacks, running or not."""
    wanted = slug(stack_name(topology, node, component))
    return [found for found in docker.containers() if found.stack == wanted]


def stop_stack(topology: Topology, node: Node, component: str, docker: Docker) -> list[str]:
    """Stop what runs of a stack and make sure of it; the names of the containers stopped.

    Raises:
        NotFoundError: there is no such stack.
        FailedError: a container still runs, or runs again.
    """
    if component not in GRACE_S:
        raise NotFoundError(f"'{component}' is not a stack; the stacks are {', '.join(GRACE_S)}.")
    live = [c for c in stack_containers(topology, node, component, docker) if _may_act(c)]
    for container in live:
        docker.stop(container.name, GRACE_S[component])
    left = [c.name for c in stack_containers(topology, node, component, docker) if _may_act(c)]
    if left:
        raise FailedError(
            f"{', '.join(left)} did not stop on {node.host}; see `docker ps` there and run again"
        )
    return [container.name for container in live]


def _may_act(container: Container) -> bool:
    return container.state not in ("exited", "created", "dead")
