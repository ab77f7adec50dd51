"""The servers' containers: what they should be, what they are, and a way into them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.docker import Completed, docker, inspect
from lab.errors import LabError, NotUpError
from lab.instance import Instance, Server
from lab.mounts import bind_mounts, volume_mounts

STOP_SECONDS = 60


@dataclass(frozen=True)
class InsideFile:
    """A file for a server. ``content`` stays out of the repr: it may be a key."""

    path: str
    content: str = field(repr=False)
    mode: int = 0o644

    @property
    def sha256(self) -> str:
        """What server-facts reports for it once it is there."""
        return hashlib.sha256(self.content.encode()).hexdigest()


def run(
    instance: Instance,
    server: Server | str,
    argv: Sequence[str],
    *,
    stdin: bytes | str | None = None,
    timeout_s: float = 120,
) -> Completed:
    """Run ``argv`` as root on a server and return its outcome, whatever the exit status.

    ``server`` is a Server or any of its names. Raises NotUpError when the server does not run.
    """
    found = instance.server(server) if isinstance(server, str) else server
    interactive = ["--interactive"] if stdin is not None else []
    done = docker(
        "exec", *interactive, found.host, *argv, stdin=stdin, timeout_s=timeout_s, check=False
    )
    if done.returncode and _is_gone(done.stderr):
        raise _not_up(instance, found.host)
    return done


def ensure_running(instance: Instance, host: str) -> None:
    """Raise NotUpError unless the server ``host`` runs."""
    container = inspect("container", host).get(host)
    if not container or container["State"]["Status"] != "running":
        raise _not_up(instance, host)


def _not_up(instance: Instance, host: str) -> NotUpError:
    return NotUpError(
        f"{host} does not run: start it with `python3 -m lab up --instance {instance.name}`."
    )


def _is_gone(stderr: str) -> bool:
    said = stderr.lower()
    return said.startswith("error") and (
        "no such container" in said or "is not running" in said or "is paused" in said
    )


def facts(instance: Instance, server: Server, *options: str) -> dict[str, Any] | None:
    """What ``server-facts`` says on the server; None while it cannot answer.

    Raises NotUpError when the server does not run.
    """
    done = run(instance, server, ["server-facts", *options], timeout_s=60)
    if done.returncode:
        return None
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def put_files(
    instance: Instance, server: Server, files: Iterable[InsideFile], *, then: Sequence[str] = ()
) -> None:
    """Write files on a server, owned by root; content goes through a pipe, never a command line.

    The shell commands ``then`` run in the same breath, so that they run even when this side dies;
    their outcome is not looked at. Raises LabError when the server did not take the files.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            data = file.content.encode()
            entry.mode, entry.size = file.mode, len(data)
            tar.addfile(entry, io.BytesIO(data))
    script = "tar -x -p --no-overwrite-dir -C / || exit 1; " + "; ".join((*then, "true"))
    done = run(instance, server, ["bash", "-c", script], stdin=archive.getvalue())
    if done.returncode:
        raise LabError(
            f"{server.host} did not take its files: {done.stderr.strip()}; run `up` again."
        )


def container_arguments(instance: Instance, server: Server) -> list[str]:
    """What a server's container is made from, apart from image and rights."""
    arguments = ["--name", server.host, "--hostname", server.host]
    arguments += ["--network", instance.network, "--ip", server.ip]
    arguments += [
        "--label",
        f"pgha.instance={instance.name}",
        "--label",
        f"pgha.node={server.node}",
    ]
    arguments += ["--restart", "no", "--stop-timeout", str(STOP_SECONDS)]
    arguments += ["--tmpfs", "/run:rw,exec,mode=755", "--log-opt", "max-size=5m"]
    for other in instance.servers:
        if other is not server and other.host != server.host:
            arguments += ["--add-host", f"{other.host}:{other.ip}"]
    if server.is_controller:
        arguments += ["--env", "SERVER_SERVICES=salt-master coolify"]
    for mount in (*volume_mounts(instance, server), *bind_mounts(instance, server)):
        arguments += ["--volume", mount]
    return arguments


def config_hash(arguments: Sequence[str], image_id: str) -> str:
    """Tells whether a container is still what it should be."""
    return hashlib.sha256("\0".join((*arguments, image_id)).encode()).hexdigest()[:16]


def next_action(
    container: dict[str, Any] | None, *, wanted_hash: str, network: str, network_id: str
) -> str:
    """What a container needs: create, recreate, start, unpause, connect or nothing."""
    if container is None:
        return "create"
    endpoint = container["NetworkSettings"]["Networks"].get(network)
    status = container["State"]["Status"]
    stale = container["Config"]["Labels"].get("pgha.config") != wanted_hash
    if stale or status in ("dead", "removing"):
        return "recreate"
    if status in ("exited", "created"):
        # A stopped container remembers the id of its network, not the name.
        return "start" if endpoint and endpoint["NetworkID"] == network_id else "recreate"
    if endpoint is None or endpoint["NetworkID"] != network_id:
        return "connect"
    return "unpause" if status == "paused" else "nothing"


def plan_containers(instance: Instance, *, image_id: str, network_id: str) -> dict[Server, str]:
    """What each server's container needs (``next_action``).

    Raises LabError when a container of that name belongs to somebody else.
    """
    found = inspect("container", *(server.host for server in instance.servers))
    plan = {}
    for server in instance.servers:
        container = found.get(server.host)
        _refuse_stranger(instance, server, container)
        plan[server] = next_action(
            container,
            wanted_hash=config_hash(container_arguments(instance, server), image_id),
            network=instance.network,
            network_id=network_id,
        )
    return plan


def apply_action(
    instance: Instance, server: Server, action: str, *, image_id: str, rights: Sequence[str]
) -> None:
    """Carry out what ``next_action`` said; ``rights`` are needed only to create."""
    if action == "recreate":
        remove_container(server, gently=True)
    if action in ("create", "recreate"):
        arguments = container_arguments(instance, server)
        label = f"pgha.config={config_hash(arguments, image_id)}"
        docker("run", "--detach", "--label", label, *rights, *arguments, image_id)
    elif action == "connect":
        docker("network", "connect", "--ip", server.ip, instance.network, server.host)
    elif action in ("start", "unpause"):
        docker(action, server.host)


def _refuse_stranger(instance: Instance, server: Server, container: dict[str, Any] | None) -> None:
    if container and container["Config"]["Labels"].get("pgha.instance") != instance.name:
        raise LabError(
            f"A container named {server.host} is there and is not of the lab {instance.name}:"
            f" remove it (docker rm -f {server.host}), then run `up` again."
        )


def remove_container(server: Server, *, gently: bool) -> None:
    """Remove a server's container, after an orderly stop when ``gently``; its volumes stay."""
    if gently:
        docker(
            "stop",
            "--time",
            str(STOP_SECONDS),
            server.host,
            check=False,
            timeout_s=STOP_SECONDS + 30,
        )
    docker("rm", "--force", server.host, check=False)
