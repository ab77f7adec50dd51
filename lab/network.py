"""The lab's network on the machine, and the route that stands in for it while there is none."""

from __future__ import annotations

import os
import subprocess

from lab.docker import docker, inspect
from lab.instance import Instance

_LONGEST_INTERFACE_NAME = 15


def ensure_network(instance: Instance) -> str:
    """Make the network when it is missing; its id.

    Raises LabError when the subnet is taken on this machine.
    """
    found = inspect("network", instance.network)
    if instance.network in found:
        return str(found[instance.network]["Id"])
    remove_unreachable_route(instance)
    return docker(*network_arguments(instance)).stdout.strip()


def network_arguments(instance: Instance) -> list[str]:
    """The docker arguments that create the network."""
    arguments = ["network", "create", "--driver", "bridge", "--subnet", instance.cidr]
    arguments += ["--gateway", f"{instance.subnet}.1", "--label", f"pgha.instance={instance.name}"]
    if len(instance.network) <= _LONGEST_INTERFACE_NAME:
        arguments += ["--opt", f"com.docker.network.bridge.name={instance.network}"]
    return [*arguments, instance.network]


def remove_network(instance: Instance) -> None:
    """Remove the network; afterwards nothing sent to its addresses leaves this machine."""
    if instance.network in inspect("network", instance.network):
        docker("network", "rm", instance.network)
    add_unreachable_route(instance)


def add_unreachable_route(instance: Instance) -> None:
    """Without it, packets for a lab that is down would go out through the default route."""
    _ip_route("replace", "unreachable", instance.cidr)


def remove_unreachable_route(instance: Instance) -> None:
    """Undo ``add_unreachable_route``; harmless when there is none."""
    _ip_route("del", "unreachable", instance.cidr)


def _ip_route(*arguments: str) -> None:
    # Only root may; with a rootless or a remote engine the route is not ours to set.
    if os.geteuid() != 0:
        return
    try:
        subprocess.run(["ip", "route", *arguments], capture_output=True, check=False, timeout=10)
    except FileNotFoundError:
        return
