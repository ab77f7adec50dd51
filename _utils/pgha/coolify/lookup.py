"""Single things by name, for operators and states."""

from __future__ import annotations

from typing import Any

from pgha.coolify.client import CoolifyClient
from pgha.coolify.ground import only_project, only_service
from pgha.coolify.models import Environment, Project, Server, Service
from pgha.coolify.pace import Pace
from pgha.coolify.stacks import COMPONENTS, Mark, stack_name
from pgha.errors import NotFoundError
from pgha.topology import Topology
from pgha.wait import Pending, poll


def find_project(client: CoolifyClient, topology: Topology, name: str | None) -> Project | None:
    return only_project(client.projects(), topology, name)


def need_project(client: CoolifyClient, topology: Topology, name: str | None) -> Project:
    """Like `find_project`.

    Raises:
        NotFoundError: there is none.
    """
    found = find_project(client, topology, name)
    if found is None:
        raise NotFoundError(
            f"Coolify at {client.url} has no project {name or topology.coolify.project}: "
            "create it first (coolify.project_create)."
        )
    return found


def find_environment(
    client: CoolifyClient,
    topology: Topology,
    name: str | None = None,
    project: str | None = None,
) -> Environment | None:
    """An environment; without names the cluster's own. None when it or its project is missing."""
    found = find_project(client, topology, project)
    if found is None:
        return None
    return client.environment(found.uuid, name or topology.coolify.environment)


def find_service(client: CoolifyClient, topology: Topology, name: str) -> Service | None:
    """The service of that name in the cluster's environment.

    Raises:
        ConflictError: several have the name.
    """
    environment = find_environment(client, topology)
    return only_service(environment.services, name) if environment else None


def need_service(client: CoolifyClient, topology: Topology, name: str) -> Service:
    """Like `find_service`.

    Raises:
        NotFoundError: there is none.
    """
    service = find_service(client, topology, name)
    if service is None:
        settings = topology.coolify
        raise NotFoundError(
            f"Coolify at {client.url} has no service {name} in project {settings.project}, "
            f"environment {settings.environment}: deploy the cluster first, or correct the name."
        )
    return service


def delete_and_wait(client: CoolifyClient, topology: Topology, name: str, pace: Pace) -> bool:
    """Delete a service and wait until Coolify has done so; False when there was none.

    Directories bound from the server, where the data is, stay.
    """
    service = find_service(client, topology, name)
    if service is None:
        return False
    client.delete_service(service.uuid, name)
    poll(
        lambda: Pending("it is still listed") if find_service(client, topology, name) else True,
        deadline_s=pace.deletion_s,
        interval_s=pace.interval_s,
        what=f"Coolify to delete the service {name} ({service.uuid})",
        clock=pace.clock,
        sleep=pace.sleep,
    )
    return True


def live_parts(client: CoolifyClient, service: Service) -> dict[str, bool]:
    """Per container of a stack whether it runs right now (one request each)."""
    return {part.name: client.is_live(service.uuid, part) for part in service.parts or ()}


def described_server(server: Server) -> dict[str, Any]:
    return {
        "uuid": server.uuid,
        "name": server.name,
        "ip": server.ip,
        "reachable": server.reachable,
        "usable": server.usable,
        "nightly_cleanup": server.nightly_cleanup,
    }


def described_service(service: Service) -> dict[str, Any]:
    """What may be shown of a service; its compose text may not, it can be someone else's."""
    mark = Mark.of(service.description)
    return {
        "uuid": service.uuid,
        "name": service.name,
        "status": service.status,
        "server": service.server_name,
        "hash": mark.digest if mark else None,
        "recreate_pending": mark.recreate_pending if mark else False,
        "containers": sorted(part.name for part in service.parts or ()),
    }


def cluster_stacks(client: CoolifyClient, topology: Topology) -> dict[str, dict[str, Any]]:
    """`{stack name: described service}` of the cluster's stacks that exist: two requests.

    Raises:
        ConflictError: several services have the name of one stack.
    """
    environment = find_environment(client, topology)
    services = environment.services if environment else ()
    found = {
        name: only_service(services, name)
        for name in (
            stack_name(topology.cluster, node.name, component)
            for component in COMPONENTS
            for node in topology.nodes
        )
    }
    return {name: described_service(row) for name, row in found.items() if row is not None}
