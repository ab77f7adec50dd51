"""What Coolify has now, read with at most four requests whatever else it manages.

`version`, `servers`, `projects` and the one environment that holds the cluster's stacks; services
outside of it are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pgha.coolify.client import CoolifyClient, parsed_version
from pgha.coolify.fitness import Servers, match_servers
from pgha.coolify.models import Environment, Project, Server, Service
from pgha.coolify.pace import Pace
from pgha.coolify.stacks import (
    COMPONENTS,
    DesiredStack,
    Plan,
    plan_stacks,
    stack_name,
    wanted_names,
)
from pgha.coolify.validation import validated_servers
from pgha.errors import ConflictError, NotFoundError
from pgha.topology import Node, Topology

# 4.2.0 turned actions into POST and brought tags and role checks, 4.3.0 the clean-up settings,
# 4.3.3 stores the status at once after a stop (contract 6).
OLDEST_VERSION = (4, 2, 0)
GOOD_VERSION = (4, 3, 3)
ComposeOf = Callable[[Topology, Node, str], str]


@dataclass(frozen=True)
class Ground:
    """One reading of Coolify. `project` and `environment` are None when they do not exist."""

    servers: tuple[Server, ...]
    matched: Servers
    project: Project | None
    environment: Environment | None


def read_ground(
    client: CoolifyClient, topology: Topology, nodes: Sequence[Node], validate: Pace | None = None
) -> Ground:
    """Read servers, project and environment: three requests.

    Args:
        validate: let Coolify look again, for so long, at servers of these nodes that it calls
            unfit.

    Raises:
        ConflictError: more than one project has our name.
    """
    servers = validated_servers(client, nodes, validate) if validate else client.servers()
    project = only_project(client.projects(), topology)
    environment = None
    if project is not None:
        environment = client.environment(project.uuid, topology.coolify.environment)
    return Ground(tuple(servers), match_servers(nodes, servers, client.url), project, environment)


def only_project(
    projects: Sequence[Project], topology: Topology, name: str | None = None
) -> Project | None:
    """The project of that name, of the cluster's own without one.

    Raises:
        ConflictError: naming the uuids when there are several.
    """
    name = name or topology.coolify.project
    found = [project for project in projects if project.name == name]
    if len(found) > 1:
        uuids = " and ".join(sorted(project.uuid for project in found))
        raise ConflictError(
            f"Coolify at {topology.coolify.url} has {len(found)} projects named {name} ({uuids}): "
            "rename or delete all but the one that holds the cluster, or set coolify_project."
        )
    return found[0] if found else None


def only_server(servers: Sequence[Server], word: str, url: str) -> Server:
    """The server of that name, address or uuid.

    Raises:
        NotFoundError: there is none, or the word names several.
    """
    found = [server for server in servers if word in (server.uuid, server.name, server.ip)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{server.name} ({server.ip})" for server in servers[:8]) or "none"
    raise NotFoundError(
        f"'{word}' names {len(found) or 'no'} servers of Coolify at {url}; it knows {known}."
    )


def only_service(services: Iterable[Service], name: str) -> Service | None:
    """The service of that name.

    Raises:
        ConflictError: naming the uuids when there are several.
    """
    found = [service for service in services if service.name == name]
    if len(found) > 1:
        uuids = " and ".join(sorted(service.uuid for service in found))
        raise ConflictError(
            f"Coolify has {len(found)} services named {name} ({uuids}): find out which one runs "
            "('docker ps' on its server shows the uuid at the end of the container names) and "
            "delete the others in Coolify, without deleting volumes."
        )
    return found[0] if found else None


def version_problem(version: str, url: str) -> str | None:
    if parsed_version(version) >= OLDEST_VERSION:
        return None
    return (
        f"Coolify at {url} is version {version}; 4.2.0 is the oldest that works, 4.3.3 or newer is "
        "recommended: update Coolify."
    )


def version_advice(version: str, url: str) -> str | None:
    if not OLDEST_VERSION <= parsed_version(version) < GOOD_VERSION:
        return None
    return f"Coolify at {url} is version {version}; 4.3.3 or newer is recommended."


def chosen_nodes(topology: Topology, names: Sequence[str] | None) -> tuple[Node, ...]:
    """The named nodes (by name or host) in the topology's order; all without names.

    Raises:
        NotFoundError: a name is not a node.
    """
    if not names:
        return topology.nodes
    chosen = {topology.node(name).name for name in names}
    return tuple(node for node in topology.nodes if node.name in chosen)


def chosen_components(names: Sequence[str] | None) -> tuple[str, ...]:
    """The named components in start order; all without names.

    Raises:
        NotFoundError: a component has no stack of that name.
    """
    for name in names or ():
        if name not in COMPONENTS:
            raise NotFoundError(
                f"'{name}' is not a component with a stack; those are {', '.join(COMPONENTS)}."
            )
    return tuple(name for name in COMPONENTS if not names or name in names)


def plan_for(
    ground: Ground,
    topology: Topology,
    components: Sequence[str],
    nodes: Sequence[Node],
    compose_of: ComposeOf,
) -> Plan:
    """What the stacks need; those of nodes without a server are left out."""
    desired = [
        DesiredStack(
            topology.cluster,
            stack_name(topology.cluster, node.name, component),
            ground.matched.of_node[node.name],
            compose_of(topology, node, component),
        )
        for node, component in wanted_names(topology, components, nodes)
        if node.name in ground.matched.of_node
    ]
    services = ground.environment.services if ground.environment else ()
    return plan_stacks(desired, services, ground.servers)
