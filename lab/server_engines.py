"""The servers' own Docker Engines: that they answer, their network, their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab import image_load
from lab.errors import LabError
from lab.instance import Instance, Server
from lab.progress import Progress, Step
from lab.servers import facts, run
from lab.together import on_each
from lab.wait import poll

ENGINE_SECONDS = 90
SERVER_NETWORK = "coolify"


def ensure_engines(instance: Instance, progress: Progress) -> None:
    """Wait for every server's engine and give it the network that Coolify's installer makes."""
    with progress.step("engines of the servers"):
        on_each(instance.servers, lambda server: _ensure_server_engine(instance, server))


def ensure_images(instance: Instance, progress: Progress) -> None:
    """Load what the servers' engines lack of the archives in .cache/images."""
    archives = image_load.archives(instance)
    seen = on_each(instance.servers, lambda server: _engine_facts(instance, server))
    work = {server: image_load.missing(archives, found["images"]) for server, found in seen.items()}
    total = sum(len(missing) for missing in work.values())
    if total:
        with progress.step("images into the servers' engines", long=True) as step:
            _load_all(instance, work, total, step)


def _load_all(
    instance: Instance, work: Mapping[Server, Sequence[image_load.Archive]], total: int, step: Step
) -> None:
    loaded: list[str] = []

    def load(server: Server) -> None:
        for archive in work[server]:
            image_load.load(instance, server, archive)
            loaded.append(archive.path.name)
            step.note = f"{len(loaded)} of {total}"

    on_each(work, load)


def _ensure_server_engine(instance: Instance, server: Server) -> None:
    found = _engine_facts(instance, server)
    if SERVER_NETWORK in found["networks"]:
        return
    # As Coolify's installer does it.
    made = run(instance, server, ["docker", "network", "create", "--attachable", SERVER_NETWORK])
    if made.returncode:
        raise LabError(
            f"{server.host}: no network {SERVER_NETWORK}: {made.stderr.strip()}; run `up` again."
        )


def _engine_facts(instance: Instance, server: Server) -> dict[str, Any]:
    def check() -> dict[str, Any] | None:
        found = facts(instance, server)
        return found if found and found["engine"] else None

    return poll(
        check,
        deadline_s=ENGINE_SECONDS,
        otherwise=f"{server.host}: its Docker Engine did not answer within {{seconds}} s: look at"
        f" `docker exec {server.host} tail -50 /var/log/dockerd/current`, then run `up` again.",
    )
