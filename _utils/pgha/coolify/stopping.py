"""Stopping stacks: all servers in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pgha.coolify.client import CoolifyClient
from pgha.coolify.ground import only_service
from pgha.coolify.lookup import find_environment
from pgha.coolify.models import Service
from pgha.coolify.stacks import stack_name
from pgha.render.compose import stack_containers
from pgha.topology import Topology

_MOST_AT_ONCE = 8


def stop_stacks(
    client: CoolifyClient, topology: Topology, components: Sequence[str], nodes: Sequence[str]
) -> list[str]:
    """Queue the stop of the stacks that exist; the names of those that Coolify will stop.

    Whether containers have stopped is for the caller to observe on the servers: Coolify's 200 says
    nothing about it, and it refuses to stop what it believes stopped.

    Args:
        nodes: by name or host; empty for all.

    Raises:
        NotFoundError: an unknown component or node.
        ConflictError: several services have the name of one stack.
    """
    for component in components:
        stack_containers(component)
    chosen = [topology.node(name) for name in nodes] or list(topology.nodes)
    names = [
        stack_name(topology.cluster, node.name, component)
        for node in chosen
        for component in components
    ]
    services = _existing(client, topology, names)
    if not services:
        return []

    def stop(service: Service) -> str | None:
        return service.name if client.stop_service(service.uuid, service.name) else None

    with ThreadPoolExecutor(max_workers=min(_MOST_AT_ONCE, len(services))) as pool:
        return [name for name in pool.map(stop, services) if name]


def _existing(client: CoolifyClient, topology: Topology, names: Sequence[str]) -> list[Service]:
    environment = find_environment(client, topology)
    if environment is None:
        return []  # nothing was ever deployed
    found = [only_service(environment.services, name) for name in names]
    return [service for service in found if service is not None]
