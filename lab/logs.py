"""Everything the servers have written, in one folder: what one wants to see when a test failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from lab.docker import docker
from lab.errors import LabError
from lab.instance import Instance, Server
from lab.progress import Progress
from lab.servers import facts, run
from lab.together import on_each

REQUESTS_LOG = "/data/coolify/stand-in/requests.log"


def collect_logs(instance: Instance, directory: Path, progress: Progress) -> list[str]:
    """Write ``DIRECTORY/<server>/...``; the sentences about what could not be had.

    Never raises for a broken server: that is when logs are wanted.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with progress.step("logs of the servers"):
        problems = on_each(
            instance.servers, lambda server: _collect(instance, server, directory / server.host)
        )
    return [problem for found in problems.values() for problem in found]


def _collect(instance: Instance, server: Server, target: Path) -> list[str]:
    (target / "containers").mkdir(parents=True, exist_ok=True)
    works: list[Callable[[], None]] = [
        lambda: _container_log(server, target),
        lambda: _copy(server, "/var/log/.", target / "log"),
        lambda: _inner_containers(instance, server, target),
    ]
    if server.is_controller:
        works.append(lambda: _copy(server, REQUESTS_LOG, target / "coolify-requests.log"))
    problems = []
    for work in works:
        try:
            work()
        except LabError as error:
            problems.append(f"{server.host}: {error}")
    return problems


def _container_log(server: Server, target: Path) -> None:
    said = docker("logs", "--timestamps", server.host)
    (target / "server.log").write_text(said.stdout + said.stderr)


def _copy(server: Server, source: str, target: Path) -> None:
    docker("cp", f"{server.host}:{source}", str(target))


def _inner_containers(instance: Instance, server: Server, target: Path) -> None:
    found = facts(instance, server, "--memory")
    if not found or not found["engine"]:
        raise LabError(
            "its Docker Engine does not answer, so the logs of its containers are missing."
        )
    (target / "facts.json").write_text(json.dumps(found, indent=2))
    listing = run(instance, server, ["docker", "ps", "--all", "--no-trunc"])
    (target / "containers.txt").write_text(listing.stdout)
    for name in found["containers"]:
        said = run(instance, server, ["docker", "logs", "--timestamps", name])
        (target / "containers" / f"{name}.log").write_text(said.stdout + said.stderr)
