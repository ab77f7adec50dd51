"""Containers of a stack on this server that are restarted, or replaced by Coolify."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pgha.errors import NotFoundError
from pgha.node.docker import Container, Docker
from pgha.node.facts import slug
from pgha.render.compose import stack_containers, stack_name
from pgha.topology import Node, Topology
from pgha.wait import Pending, poll

INTERVAL_S = 0.5


def restart(topology: Topology, node: Node, component: str, docker: Docker) -> list[str]:
    """Restart a stack's containers one after the other; returns their names.

    Raises:
        NotFoundError: unknown component, or no container of it runs here.
    """
    running = [each for each in _of_stack(topology, node, component, docker) if each.is_running]
    if not running:
        raise NotFoundError(f"no container of {component} runs here; run the deploy.")
    for container in running:
        docker.restart(container.name)
    return [container.name for container in running]


def wait_recreated(
    topology: Topology,
    node: Node,
    component: str,
    before: Collection[str],
    deadline_s: float,
    docker: Docker,
) -> list[str]:
    """Wait until a stack consists of running containers none of which is in ``before``; their ids.

    Raises:
        TimedOutError: saying which container is missing, old or not running. Coolify tells nobody
            when its start fails.
    """

    def check() -> list[str] | Pending:
        found = _of_stack(topology, node, component, docker)
        old = [f"{each.service} is still the old container" for each in found if each.id in before]
        missing = old or _not_running(component, found)
        return Pending("; ".join(missing)) if missing else [each.id for each in found]

    return poll(
        check,
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"new containers of {component} on {node.host} (Coolify keeps the start's log)",
    )


def _not_running(component: str, containers: Sequence[Container]) -> list[str]:
    states = {each.service: each.state for each in containers}
    return [
        f"{service} is {states.get(service, 'not there')}"
        for service in stack_containers(component)
        if states.get(service) != "running"
    ]


def _of_stack(topology: Topology, node: Node, component: str, docker: Docker) -> list[Container]:
    stack_containers(component)
    stack = slug(stack_name(topology, node, component))
    return [each for each in docker.containers() if each.stack == stack]
