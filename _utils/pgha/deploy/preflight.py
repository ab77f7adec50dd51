"""The rules a deploy checks before it touches anything; each broken one is one sentence."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from pgha.topology import Node, Topology
from pgha.voters import quorum_of

CLOCK_LIMIT_S = 1.0
"""DESIGN, "Bringing a cluster up"; etcd warns above it, certificates need order."""

FREE_BYTES_NEEDED = 2 * 1024**3
"""A fresh data directory, 1 GiB of WAL (the default max_wal_size) and the images' layers."""

FREE_BYTES_NEEDED_WHEN_RUNNING = 256 * 1024**2
"""A server that runs its stacks already only needs room for configuration and a reload."""

OLDEST_DOCKER = (20, 10)
"""Coolify's own minimum is newer; host networking and short binds work from here on."""


def problems(
    topology: Topology,
    facts: Mapping[str, Mapping[str, Any]],
    offsets: Mapping[str, tuple[float, float]],
) -> list[str]:
    """Return every broken rule as a sentence with what, where and what to do.

    Args:
        topology: the validated configuration.
        facts: :func:`pgha.node.facts.gather` of each server, keyed by minion id.
        offsets: for each minion id the bounds ``(lowest, highest)`` in seconds of how far its
            clock is ahead of the Salt master's; see :func:`clock_offset`.
    """
    found: list[str] = []
    for node in topology.nodes:
        here = facts[node.host]
        found += [f"{node.host}: {problem}" for problem in _server_problems(topology, node, here)]
    return found + _clock_problems(offsets)


def etcd_is_lost(topology: Topology, facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The voters without etcd data, when too few have any although PostgreSQL's data is there.

    A deploy would then begin an empty etcd, and whichever member registers first would lead,
    however old its data. Empty when that cannot happen.
    """
    empty = [name for name in topology.voters if not _data(topology, facts, name)["etcd"]]
    kept = len(topology.voters) - len(empty)
    if kept >= quorum_of(len(topology.voters)):
        return []
    nodes = [node.name for node in topology.nodes]
    return empty if any(_data(topology, facts, name)["postgresql"] for name in nodes) else []


def _data(
    topology: Topology, facts: Mapping[str, Mapping[str, Any]], name: str
) -> Mapping[str, bool]:
    found: Mapping[str, bool] = facts[topology.node(name).host]["data"]
    return found


def version_problems(topology: Topology, outlook: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A declared major version that is not the running one: no restart leads there.

    Args:
        outlook: ``postgres_roll.outlook`` per minion id; ``version`` is None where nothing runs.
    """
    running = {str(seen["version"]).split(".")[0] for seen in outlook.values() if seen["version"]}
    return [
        f"postgresql_version is {topology.version} and PostgreSQL {major} runs: its data directory "
        "must be converted for another major version, which a deploy does not do; set it back to "
        f"{major}"
        for major in sorted(running - {str(topology.version)})
    ]


def clock_offset(asked_at: float, answered_at: float, clock: float) -> tuple[float, float]:
    """Bounds of a remote clock's offset: it was read somewhere between question and answer."""
    return clock - answered_at, clock - asked_at


def _server_problems(topology: Topology, node: Node, facts: Mapping[str, Any]) -> Iterable[str]:
    yield from facts["problems"]
    if facts["docker"]:
        yield from _docker_problems(facts["docker"])
        yield from _network_problems(topology, facts["networks"])
    yield from _image_problems(facts["images"])
    yield from _port_problems(facts["listeners"])
    yield from _disk_problems(facts)


def _docker_problems(version: str) -> Iterable[str]:
    parts = tuple(int(part) for part in version.split("+")[0].split("-")[0].split(".")[:2])
    if parts < OLDEST_DOCKER:
        yield f"Docker {version} is too old; 20.10 or newer is needed, upgrade it and run again"


def _network_problems(topology: Topology, networks: Mapping[str, list[str]]) -> Iterable[str]:
    if "coolify" not in networks:
        yield (
            "Docker has no network called coolify; let Coolify validate this server "
            "(Servers, Validate) and run again"
        )
    declared = [ipaddress.ip_network(text) for text in topology.application_networks]
    for subnet in networks.get("coolify", []):
        if not _inside(subnet, declared):
            yield (
                f"the subnet {subnet} of Docker's network coolify is not in "
                f"postgresql_application_networks ({', '.join(topology.application_networks)}); "
                "add it to the pillar, otherwise applications there cannot log in"
            )


def _inside(subnet: str, declared: list[Any]) -> bool:
    network = ipaddress.ip_network(subnet)
    return (
        any(network.version == outer.version and network.subnet_of(outer) for outer in declared)
        or network.version == 6
    )


def _image_problems(images: Mapping[str, str]) -> Iterable[str]:
    for reference, source in images.items():
        if source == "missing" and "." not in reference.split("/")[0]:
            yield (
                f"the image {reference} is neither in Docker nor in /var/lib/pgha/images and names "
                "no registry; run images/save.sh and copy the archives there, or set "
                "postgresql_images to a registry that has them"
            )


def _port_problems(listeners: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for found in listeners:
        yield (
            f"port {found['port']} on {found['address']} is taken by {found['process']}; "
            "stop it, or choose another port in the pillar"
        )


def _disk_problems(facts: Mapping[str, Any]) -> Iterable[str]:
    free = facts["free_bytes"]
    needed = FREE_BYTES_NEEDED_WHEN_RUNNING if _all_run(facts["stacks"]) else FREE_BYTES_NEEDED
    if free < needed:
        yield (
            f"only {free / 1024**2:.0f} MiB are free for /var/lib/pgha, "
            f"{needed / 1024**2:.0f} MiB are needed; make room and run again"
        )


def _all_run(stacks: Mapping[str, Mapping[str, str]]) -> bool:
    return bool(stacks) and all("running" in states.values() for states in stacks.values())


def _clock_problems(offsets: Mapping[str, tuple[float, float]]) -> list[str]:
    found = []
    for host, (lowest, highest) in sorted(offsets.items()):
        if lowest > CLOCK_LIMIT_S or highest < -CLOCK_LIMIT_S:
            nearest = lowest if lowest > 0 else highest
            found.append(
                f"{host}: its clock is at least {abs(nearest):.1f} s "
                f"{'ahead of' if nearest > 0 else 'behind'} the Salt master's; "
                "switch time synchronisation on (timedatectl set-ntp true) and run again"
            )
    return found
