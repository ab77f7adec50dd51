"""Making servers out of containers: keys, who trusts whom, services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab import identity, stand_in
from lab.identity import Facts
from lab.instance import Instance, Server
from lab.mounts import EXTENSIONS, served_folders
from lab.progress import Progress
from lab.servers import InsideFile, facts, put_files
from lab.together import on_each
from lab.wait import poll

PREPARED_SECONDS = 90

Everyone = Mapping[Server, Facts]


def watched_paths(instance: Instance, server: Server) -> list[str]:
    """What `up` wants to know of a server's files and folders."""
    paths = [identity.MASTER_CONF, "/root/.ssh/authorized_keys"]
    if server.is_controller:
        paths += [f"/etc/salt/pki/master/minions/{other.host}" for other in instance.servers]
        paths += [
            f"{stand_in.DIRECTORY}/{name}"
            for name in ("known_hosts", "listen", "seed.json", "source")
        ]
        paths += [identity.SEEDED, identity.SCHEDULE_CONF, *served_folders(instance).values()]
    return paths


def look(instance: Instance, progress: Progress) -> Everyone:
    """The facts of every server, once all are prepared."""
    with progress.step("servers prepared"):
        return on_each(instance.servers, lambda server: _prepared(instance, server))


def _prepared(instance: Instance, server: Server) -> dict[str, Any]:
    def check() -> dict[str, Any] | None:
        found = facts(instance, server, *watched_paths(instance, server))
        return found if found and found["prepared"] else None

    return poll(
        check,
        deadline_s=PREPARED_SECONDS,
        otherwise=f"{server.host} was not ready within {{seconds}} s:"
        f" look at `docker logs {server.host}`, then run `up` again.",
    )


def join(instance: Instance, everyone: Everyone, progress: Progress) -> None:
    """Give every server its keys and start its services; restart those whose files changed."""
    with progress.step("keys and services") as step:
        wanted = _wanted_files(instance, everyone)
        written = on_each(
            instance.servers,
            lambda server: _converge(instance, server, wanted[server], everyone[server]),
        )
        count = sum(len(files) for files in written.values())
        step.note = f"{count} files written" if count else "as they should be"


def _wanted_files(instance: Instance, everyone: Everyone) -> dict[Server, list[InsideFile]]:
    controller = everyone[instance.controller]
    wanted = {
        server: identity.server_files(instance, server, controller) for server in instance.servers
    }
    code = stand_in.hash_of(*(instance.root / name for name in EXTENSIONS))
    wanted[instance.controller] += identity.master_files(everyone, code)
    if stand_in.is_there(instance):
        wanted[instance.controller] += stand_in.stand_in_files(instance, everyone)
    return wanted


def _converge(
    instance: Instance, server: Server, wanted: Sequence[InsideFile], seen: Facts
) -> list[InsideFile]:
    written = identity.changed(wanted, seen)
    restart, start = service_actions([file.path for file in written], seen["services"])
    commands = [f"sv -w 30 restart /run/service/{name}" for name in restart]
    commands += [f"sv start /run/service/{name}" for name in start]
    if "salt-minion" in restart:
        # The key of a former master would be believed more than the new fingerprint.
        commands.insert(0, f"rm -f {identity.MASTER_PUBLIC_KEY_SEEN}")
    if written or commands:
        # What does not start is found by the checks that follow, which know what to say about it.
        put_files(instance, server, written, then=commands)
    return written


def service_actions(
    written: Sequence[str], services: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Services to restart, because a file of theirs changed, and those to start: they are down."""
    restart = []
    if identity.MASTER_CONF in written:
        restart.append("salt-minion")
    if identity.SEEDED in written or identity.SCHEDULE_CONF in written:
        restart.append("salt-master")
    if any(path.startswith(stand_in.DIRECTORY) for path in written):
        restart.append("coolify")
    start = [name for name, state in services.items() if state != "run" and name not in restart]
    return [name for name in restart if name in services], start
