"""Stop a lab; with ``destroy`` also remove what it has stored."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.docker import docker, inspect
from lab.errors import LabError
from lab.instance import Instance
from lab.mounts import VOLUMES, volume_name
from lab.network import remove_network
from lab.progress import Progress
from lab.servers import STOP_SECONDS
from lab.together import on_each


def down(instance: Instance, progress: Progress, *, gently: bool = True) -> None:
    """Stop and remove every container of the lab, and its network. Volumes and state/ stay."""
    hosts = _containers(instance)
    with progress.step("servers stopped", long=bool(hosts)) as step:
        on_each(hosts, lambda host: _remove(host, gently))
        step.say(str(len(hosts)))
    with progress.step("network removed"):
        _refuse_guests(instance)
        remove_network(instance)


def destroy(instance: Instance, progress: Progress) -> None:
    """``down``, then remove volumes and .lab/<instance>, with a state directory inside it."""
    down(instance, progress, gently=False)
    with progress.step("data removed"):
        names = [
            volume_name(instance, server, kind) for server in instance.servers for kind in VOLUMES
        ]
        there = list(inspect("volume", *names))
        if there:
            docker("volume", "rm", *there)
        shutil.rmtree(instance.directory, ignore_errors=True)


def keeps_state_elsewhere(instance: Instance) -> bool:
    """Whether passwords, CA and backups lie outside of what ``destroy`` removes."""
    return not instance.state_dir.is_relative_to(instance.directory)


def remove_state(state_dir: Path) -> None:
    """Remove passwords, CA, tokens and backups; the .gitignore, which is tracked, stays."""
    for path in state_dir.iterdir():
        if path.name == ".gitignore":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _containers(instance: Instance) -> list[str]:
    label = f"label=pgha.instance={instance.name}"
    return docker("ps", "--all", "--filter", label, "--format", "{{.Names}}").stdout.split()


def _remove(host: str, gently: bool) -> None:
    if gently:
        docker("stop", "--time", str(STOP_SECONDS), host, check=False, timeout_s=STOP_SECONDS + 30)
    # Volumes without a name go with the container; the servers' own have names and stay.
    docker("rm", "--force", "--volumes", host)


def _refuse_guests(instance: Instance) -> None:
    network = inspect("network", instance.network).get(instance.network)
    guests = sorted(guest["Name"] for guest in (network or {}).get("Containers", {}).values())
    if guests:
        raise LabError(
            f"The network {instance.network} is still used by {', '.join(guests)}:"
            " remove these containers, then run `down` again."
        )
