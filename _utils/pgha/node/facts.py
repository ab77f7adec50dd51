"""One look at a server before a deploy touches it: everything the pre-flight rules need."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pgha.errors import PghaError
from pgha.node.data import initialised
from pgha.node.docker import Container, Docker
from pgha.node.ports import Listener, listeners
from pgha.node.room import free_bytes
from pgha.render.compose import STACK_COMPONENTS, stack_name
from pgha.render.places import config_directory
from pgha.topology import Node, Topology
from pgha.wait import poll

IMAGE_ARCHIVES = Path("/var/lib/pgha/images")
DATA_ROOT = Path("/var/lib/pgha")
DOCKER_DEADLINE_S = 20


def gather(topology: Topology, node: Node, docker: Docker) -> dict[str, Any]:
    """Return what this server is like, JSON-ready.

    Keys: ``docker`` (version or None), ``problems`` (list of sentences), ``stacks``
    (``{stack: {service: state}}``), ``ids`` (``{stack: [container id]}``), ``stale`` (components
    that run with an older configuration than the one on disk and do not reload it), ``images``
    (``{reference: "present"|"archive"|"missing"}``), ``listeners`` (``[{port, address, process}]``
    of ports that none of our running stacks owns), ``networks`` (``{name: [subnet]}``),
    ``free_bytes`` on the file system of the data, and ``data``
    (:func:`pgha.node.data.initialised`).
    """
    facts: dict[str, Any] = {"docker": None, "problems": [], "stacks": {}, "images": {}}
    facts |= {"networks": {}, "ids": {}, "stale": [], "data": initialised(topology)}
    facts["free_bytes"] = free_bytes(DATA_ROOT)
    _ask_docker(topology, node, docker, facts)
    facts["listeners"] = [vars(found) for found in _foreign_listeners(topology, node, facts)]
    if facts["listeners"] and facts["docker"]:
        # A container that was just starting: seen before it ran, and its ports after.
        _ask_docker(topology, node, docker, facts)
        facts["listeners"] = [vars(found) for found in _foreign_listeners(topology, node, facts)]
    return facts


def _ask_docker(topology: Topology, node: Node, docker: Docker, facts: dict[str, Any]) -> None:
    facts["problems"] = []
    try:
        facts["docker"] = _version(docker)
        containers = docker.containers()
        facts["stacks"] = stacks_here(topology, node, containers)
        facts["ids"] = ids_here(topology, node, containers)
        facts["stale"] = stale_components(topology, node, docker, containers)
        facts["images"] = image_sources(topology, docker)
        facts["networks"] = docker.networks()
    except PghaError as error:
        facts["problems"].append(str(error))


def _version(docker: Docker) -> str:
    """Docker's version; on a server that has just been started the minion may be there first."""
    return poll(docker.version, deadline_s=DOCKER_DEADLINE_S, interval_s=1, what="Docker")


def stacks_here(
    topology: Topology, node: Node, containers: Iterable[Container]
) -> dict[str, dict[str, str]]:
    """Map each of this node's stacks to ``{service: state}`` of its containers.

    A stack that does not belong on the node is in the map only when there are containers of it.
    """
    names = {slug(stack_name(topology, node, part)): part for part in STACK_COMPONENTS}
    stacks: dict[str, dict[str, str]] = {part: {} for part in _components(topology, node)}
    for container in containers:
        component = names.get(container.stack)
        if component:
            stacks.setdefault(component, {})[container.service] = container.state
    return {stack_name(topology, node, part): found for part, found in stacks.items()}


def ids_here(
    topology: Topology, node: Node, containers: Iterable[Container]
) -> dict[str, list[str]]:
    """Map each of this node's stacks to the ids of its containers."""
    found = list(containers)
    names = [stack_name(topology, node, part) for part in STACK_COMPONENTS]
    return {name: [each.id for each in found if each.stack == slug(name)] for name in names}


def stale_components(
    topology: Topology, node: Node, docker: Docker, containers: Iterable[Container]
) -> list[str]:
    """Components whose container is older than a file that it reads at its start only.

    Told from the disk and from Docker, so that a deploy that was interrupted between writing the
    file and restarting the container is not forgotten.
    """
    stack = slug(stack_name(topology, node, "etcd"))
    written = max(map(_written_at, start_files(topology)), default=0.0)
    stale = any(
        container.stack == stack
        and container.is_running
        and docker.started_at(container.name) < written
        for container in containers
    )
    return ["etcd"] if stale else []


def start_files(topology: Topology) -> list[Path]:
    """The files that etcd reads at its start only; see `pgha.render.files.reload_action`."""
    directory = Path(config_directory(topology, "etcd"))
    names = ("etcd.yml", "ca.crt")
    return [directory / name for name in names if (directory / name).exists()]


def _written_at(path: Path) -> float:
    return path.stat().st_mtime


def slug(name: str) -> str:
    """The form in which Coolify writes a name into container labels (contract 3.3)."""
    return name.lower().replace("_", "-")


def image_sources(topology: Topology, docker: Docker) -> dict[str, str]:
    """Tell for each image whether it is ``present``, loadable from an ``archive``, ``missing``."""
    references = image_references(topology)
    return {
        reference: "present" if image else ("archive" if archive(reference).exists() else "missing")
        for reference, image in docker.image_ids(references).items()
    }


def image_references(topology: Topology) -> list[str]:
    """The images that the stacks of a node use."""
    images = topology.images
    return [images.etcd, images.patroni, images.router, images.exporter]


def archive(reference: str) -> Path:
    """Where the archive of an image is kept on each server: ``/`` and ``:`` become ``_``."""
    return IMAGE_ARCHIVES / (reference.replace("/", "_").replace(":", "_") + ".tar")


def component_ports(topology: Topology, node: Node) -> Mapping[str, frozenset[int]]:
    """The TCP ports that each of the node's stacks opens on the server's own address."""
    ports = {
        "etcd": frozenset({topology.etcd_client_port, topology.etcd_peer_port}),
        "patroni": frozenset({topology.member_port, topology.restapi_port}),
        "router": frozenset({topology.port, topology.replica_port, topology.pool_port}),
        "exporter": frozenset({topology.exporter_port}),
    }
    return {part: ports[part] for part in _components(topology, node)}


def _components(topology: Topology, node: Node) -> list[str]:
    return [part for part in STACK_COMPONENTS if topology.runs(node, part)]


def _foreign_listeners(
    topology: Topology, node: Node, facts: Mapping[str, Any]
) -> Iterable[Listener]:
    """Listeners on ports of stacks that do not run here: those ports are taken by somebody else."""
    ports: set[int] = set()
    for component, component_port in component_ports(topology, node).items():
        states = facts["stacks"].get(stack_name(topology, node, component), {})
        if "running" not in states.values():
            ports |= component_port
    return listeners(ports, {node.ip, "127.0.0.1"} if os.geteuid() == 0 else {node.ip})
