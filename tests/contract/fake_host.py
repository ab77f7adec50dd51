"""A host without Docker: it reads the stand-in's scripts line by line and simulates containers.

An unknown command fails with status 127, so that a new line in lab/coolify/lifecycle/scripts.py
cannot pass unnoticed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import re
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from lab.coolify.hosts.base import UNREACHABLE, Completed


@dataclass
class Container:
    name: str
    id: int
    config: str
    labels: dict[str, str]
    state: str = "running"
    health: str | None = None
    image: str = ""


@dataclass
class FakeServer:
    """What one server holds."""

    containers: dict[str, Container] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    networks: set[str] = field(default_factory=lambda: {"bridge", "coolify"})
    images: set[str] = field(default_factory=set)
    reachable: bool = True


class CommandError(Exception):
    pass


class FakeHost:
    """`scripts` keeps (server name, script); `hold` stops every `compose up` until it is set."""

    def __init__(self) -> None:
        self.servers: dict[str, FakeServer] = {}
        self.scripts: list[tuple[str, str]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.needs_command: set[str] = set()
        self.outputs: dict[str, str] = {}
        self._ids = itertools.count(1)
        self._commands: list[tuple[re.Pattern[str], Callable[..., str]]] = [
            (re.compile(pattern), handler) for pattern, handler in self._table()
        ]

    def server(self, name: str) -> FakeServer:
        return self.servers.setdefault(name, FakeServer())

    def ran(self, text: str) -> list[str]:
        return [script for _, script in self.scripts if text in script]

    async def run(self, server: dict[str, Any], script: str, *, timeout_s: float) -> Completed:
        fake = self.server(server["name"])
        self.scripts.append((server["name"], script))
        if not fake.reachable:
            return Completed(UNREACHABLE, stderr="connect: No route to host")
        if " up -d" in script and not self.hold.is_set():
            await asyncio.to_thread(self.hold.wait, timeout_s)
        return self._interpret(fake, script)

    def _interpret(self, fake: FakeServer, script: str) -> Completed:
        output: list[str] = []
        for line in script.splitlines():
            try:
                output.append(self._line(fake, line))
            except CommandError as error:
                return Completed(int(error.args[0]), "".join(output), str(error.args[1]))
        return Completed(0, "".join(output))

    def _line(self, fake: FakeServer, line: str) -> str:
        for pattern, handler in self._commands:
            if match := pattern.match(line):
                return handler(fake, **match.groupdict())
        raise CommandError(127, f"bash: {line[:60]}: not simulated")

    def _table(self) -> list[tuple[str, Callable[..., str]]]:
        compose = (
            r"docker compose --project-directory \S+ -f (?P<path>\S+) --project-name (?P<uuid>\S+)"
        )
        return [
            (
                r"(true|mkdir -p|touch|docker volume rm|docker network (connect|disconnect)) ?",
                _nothing,
            ),
            (r"echo '(?P<text>[^']*)' \| base64 -d \| tee (?P<path>\S+)", self._write),
            (r"docker network inspect (?P<name>\S+)", self._network),
            (rf"{compose} up -d --remove-orphans --force-recreate --build$", self._up),
            (rf"{compose} up -d --no-deps( --build)? (?P<service>\S+)$", self._up_one),
            (rf"{compose} pull", self._nothing),
            (r"docker stop (--time(out)?=\d+ )?(?P<names>.+)$", self._stop),
            (r"docker rm -f (?P<names>.+)$", self._remove),
            (r"docker restart (?P<name>\S+)$", self._restart),
            (r"docker inspect --format '\{\{\.State\.Status\}\}' (?P<name>\S+)$", self._state),
            (r"docker logs --tail (?P<lines>\d+)", self._logs),
            (r"docker ps -aq --filter label=coolify.managed=true \| xargs", self._list),
            (r"docker ps -a --filter label=coolify.serviceId=(?P<number>\d+)", self._labels),
            (r"docker exec (?P<name>\S+) sh -c (?P<command>.+) < /dev/null$", self._exec),
            (r"docker network rm (?P<name>\S+)", self._network_remove),
            (r"rm -rf (?P<path>\S+)$", self._remove_files),
            (r"docker image prune -af", self._prune),
            (r"docker (container|builder) prune", _nothing),
            (r"docker version", lambda fake: "26.1.5\n"),
            (r"docker compose version", lambda fake: "2.26.1\n"),
        ]

    def _nothing(self, fake: FakeServer, **_: str) -> str:
        return ""

    def _write(self, fake: FakeServer, text: str, path: str) -> str:
        fake.files[path] = base64.b64decode(text).decode()
        return ""

    def _network(self, fake: FakeServer, name: str) -> str:
        fake.networks.add(name)
        return ""

    def _up(self, fake: FakeServer, path: str, uuid: str) -> str:
        document = self._document(fake, path)
        wanted = {body["container_name"] for body in document["services"].values()}
        orphans = [name for name in fake.containers if name.endswith(f"-{uuid}")]
        for name in set(orphans) - wanted:
            del fake.containers[name]
        for service in document["services"]:
            self._create(fake, path, document["services"][service])
        return ""

    def _up_one(self, fake: FakeServer, path: str, uuid: str, service: str) -> str:
        body = self._document(fake, path)["services"][shlex.split(service)[0]]
        known = fake.containers.get(body["container_name"])
        if known is None or known.config != _config(fake, path, body):
            self._create(fake, path, body)
        else:
            known.state = "running"
        return ""

    def _document(self, fake: FakeServer, path: str) -> dict[str, Any]:
        document: dict[str, Any] = yaml.safe_load(fake.files[path])
        for name, network in (document.get("networks") or {}).items():
            if (
                network
                and network.get("external")
                and network.get("name", name) not in fake.networks
            ):
                raise CommandError(
                    1, f"network {name} declared as external, but could not be found"
                )
        return document

    def _create(self, fake: FakeServer, path: str, body: dict[str, Any]) -> None:
        if "image" not in body and "build" not in body:
            raise CommandError(1, "service has neither an image nor a build context specified")
        image = str(body.get("image", "built"))
        if image.startswith("missing.invalid"):
            raise CommandError(18, f"pull access denied for {image}")
        labels = dict(label.partition("=")[::2] for label in body["labels"])
        name = body["container_name"]
        fake.images.add(image)
        fake.containers[name] = Container(
            name=name,
            id=next(self._ids),
            config=_config(fake, path, body),
            labels=labels,
            state="exited" if self._ends_at_once(body) else "running",
            health=_health(body),
            image=image,
        )

    def _ends_at_once(self, body: dict[str, Any]) -> bool:
        """An image without a command of its own, or a one-shot service."""
        command = body.get("command") or body.get("entrypoint")
        return body.get("restart") == "no" or (
            not command and body.get("image") in self.needs_command
        )

    def _stop(self, fake: FakeServer, names: str) -> str:
        missing = []
        for name in shlex.split(names):
            if name in fake.containers:
                fake.containers[name].state = "exited"
            else:
                missing.append(name)
        if missing:
            raise CommandError(1, f"Error response from daemon: No such container: {missing[0]}")
        return ""

    def _remove(self, fake: FakeServer, names: str) -> str:
        for name in shlex.split(names):
            fake.containers.pop(name, None)
        return ""

    def _restart(self, fake: FakeServer, name: str) -> str:
        self._found(fake, name).state = "running"
        return ""

    def _state(self, fake: FakeServer, name: str) -> str:
        return f"{self._found(fake, name).state}\n"

    def _found(self, fake: FakeServer, name: str) -> Container:
        plain = shlex.split(name)[0]
        if plain not in fake.containers:
            raise CommandError(1, f"Error: No such object: {plain}")
        return fake.containers[plain]

    def _logs(self, fake: FakeServer, lines: str) -> str:
        return "".join(f"line {number}\n" for number in range(1, min(int(lines), 3) + 1))

    def _list(self, fake: FakeServer) -> str:
        states = []
        for item in fake.containers.values():
            state: dict[str, Any] = {"Status": item.state}
            if item.health:
                state["Health"] = {"Status": item.health}
            states.append(f"/{item.name}\t{json.dumps(state)}\n")
        return "".join(states)

    def _labels(self, fake: FakeServer, number: str) -> str:
        lines = []
        for item in fake.containers.values():
            if item.labels.get("coolify.serviceId") == number:
                labels = ",".join(f"{key}={value}" for key, value in item.labels.items())
                lines.append(f"{item.name}\t{item.state}\t{labels}\n")
        return "".join(lines)

    def _exec(self, fake: FakeServer, name: str, command: str) -> str:
        self._found(fake, name)
        text = shlex.split(command)[0]
        return self.outputs.get(text, f"ran {text}\n")

    def _network_remove(self, fake: FakeServer, name: str) -> str:
        fake.networks.discard(name)
        return ""

    def _remove_files(self, fake: FakeServer, path: str) -> str:
        for name in [name for name in fake.files if name.startswith(f"{path}/")]:
            del fake.files[name]
        return ""

    def _prune(self, fake: FakeServer) -> str:
        fake.images &= {item.image for item in fake.containers.values()}
        return ""


def _nothing(fake: FakeServer, **_: str) -> str:
    return ""


def _health(body: dict[str, Any]) -> str | None:
    if "healthcheck" not in body:
        return None
    return "unhealthy" if "false" in str(body["healthcheck"].get("test")) else "healthy"


def _config(fake: FakeServer, path: str, body: dict[str, Any]) -> str:
    """Compose's config hash: the service and the variables that env_file injects."""
    env = fake.files.get(path.replace("docker-compose.yml", ".env"), "")
    return hashlib.sha256((json.dumps(body, sort_keys=True) + env).encode()).hexdigest()
