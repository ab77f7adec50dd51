"""The shell text that Coolify runs on a server (contract 4).

All names come from uuids, compose keys that passed the guard, or rows of our own; they are
quoted anyway.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from shlex import quote

from ..settings import SERVICES_ROOT

TAB = "\t"


def directory(uuid: str) -> str:
    return f"{SERVICES_ROOT}/{uuid}"


def write_files(uuid: str, compose: str, env: str) -> str:
    folder = directory(uuid)
    return "\n".join(
        [
            f"mkdir -p {folder}",
            _write(f"{folder}/docker-compose.yml", compose),
            _write(f"{folder}/.env", env),
        ]
    )


def _write(path: str, text: str) -> str:
    encoded = base64.b64encode(text.encode()).decode()
    return f"echo '{encoded}' | base64 -d | tee {path} > /dev/null"


def compose(uuid: str) -> str:
    folder = directory(uuid)
    return (
        f"docker compose --project-directory {folder} -f {folder}/docker-compose.yml "
        f"--project-name {uuid}"
    )


def up(uuid: str, *, network: bool, connect: Sequence[tuple[str, str]] = ()) -> str:
    """The whole stack, every container recreated; `connect`: (network, container) pairs."""
    lines = [f"touch {directory(uuid)}/.env"]
    if network:
        lines.append(
            f"docker network inspect {uuid} >/dev/null 2>&1 || "
            f"docker network create --attachable {uuid} >/dev/null"
        )
    lines.append(f"{compose(uuid)} up -d --remove-orphans --force-recreate --build")
    if network:
        lines.append(f"docker network connect {uuid} coolify-proxy >/dev/null 2>&1 || true")
    lines += [
        f"docker network connect --alias {quote(container)} {quote(name)} {quote(container)} "
        ">/dev/null 2>&1 || true"
        for name, container in connect
    ]
    return "\n".join(lines)


def pull(uuid: str, service: str | None = None) -> str:
    return f"{compose(uuid)} pull" + (f" {quote(service)}" if service else "")


def up_one(uuid: str, service: str, *, build: bool) -> str:
    """One service; Compose recreates it only if its configuration changed."""
    flag = " --build" if build else ""
    return f"{compose(uuid)} up -d --no-deps{flag} {quote(service)}"


def stop(containers: Sequence[str], docker_version: str | None) -> str:
    """A missing container makes `docker stop` fail; then nothing is removed (live finding 3)."""
    names = " ".join(quote(name) for name in containers)
    seconds = 10 if len(containers) > 5 else 30
    flag = "--timeout" if _major(docker_version) >= 28 else "--time"
    return f"docker stop {flag}={seconds} {names}\ndocker rm -f {names}"


def restart_one(container: str) -> str:
    return f"docker restart {quote(container)}"


def stop_one(container: str) -> str:
    return f"docker stop {quote(container)}"


def state_of(container: str) -> str:
    return f"docker inspect --format '{{{{.State.Status}}}}' {quote(container)}"


def logs(container: str, lines: int, *, timestamps: bool = False) -> str:
    flag = " --timestamps" if timestamps else ""
    return f"docker logs --tail {lines}{flag} {quote(container)} 2>&1"


def labels_of_stack(service_id: int) -> str:
    return (
        f"docker ps -a --filter label=coolify.serviceId={service_id} "
        f"--format '{{{{.Names}}}}{TAB}{{{{.State}}}}{TAB}{{{{.Labels}}}}'"
    )


def list_containers() -> str:
    """One line per managed container: name, tab, `State` as JSON."""
    return (
        "docker ps -aq --filter label=coolify.managed=true | "
        f"xargs -r docker inspect --format '{{{{.Name}}}}{TAB}{{{{json .State}}}}'"
    )


def run_task(container: str, command: str) -> str:
    return f"docker exec {quote(container)} sh -c {quote(command)} < /dev/null"


def remove_volumes(names: Sequence[str]) -> str:
    return "\n".join(f"docker volume rm -f {quote(name)} || true" for name in names)


def remove_network(uuid: str) -> str:
    return (
        f"docker network disconnect {uuid} coolify-proxy >/dev/null 2>&1 || true\n"
        f"docker network rm {uuid} >/dev/null 2>&1 || true"
    )


def remove_directory(uuid: str) -> str:
    return f"rm -rf {directory(uuid)}"


def prune() -> str:
    """Coolify's host-wide clean-up: every unused image goes (contract 4.4)."""
    return "\n".join(
        [
            "docker container prune -f --filter label=coolify.managed=true "
            "--filter label!=coolify.type=application --filter label!=coolify.type=database "
            "--filter label!=coolify.type=service",
            "docker image prune -af --filter label!=coolify.managed=true",
            "docker builder prune -af || true",
        ]
    )


def versions() -> str:
    return "docker version --format '{{.Server.Version}}'\ndocker compose version --short"


def _major(version: str | None) -> int:
    head = (version or "").split(".", 1)[0]
    return int(head) if head.isdigit() else 0
