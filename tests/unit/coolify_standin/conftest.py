"""A stand-in on a loopback port with a project to create stacks in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.compose import encoded
from tests.contract.fake_host import Container, FakeServer
from tests.contract.loopback import Loopback, serve

ONE = "services:\n  a:\n    image: x:1\n    healthcheck: {test: [CMD, 'true']}\n"
TWO = f"{ONE}  b:\n    image: y:1\n"


@dataclass
class Stacks:
    """Shorthands for the API calls that most tests make."""

    server: Loopback
    project: str
    target: str

    @property
    def host(self) -> FakeServer:
        return self.server.host.server("h20")

    def body(self, text: str = TWO, **more: Any) -> dict[str, Any]:
        parents = {"server_uuid": self.target, "project_uuid": self.project}
        compose = {"environment_name": "production", "docker_compose_raw": encoded(text)}
        return {**parents, **compose, "name": "stack", **more}

    def create(self, text: str = TWO, **more: Any) -> str:
        answer = self.server.call("POST", "/services", self.body(text, **more))
        assert answer.status_code == 201, answer.text
        uuid: str = answer.json()["uuid"]
        return uuid

    def running(self, text: str = TWO) -> str:
        """A started stack, seen by a status pass."""
        uuid = self.create(text)
        self.post(uuid, "start")
        self.server.settle()
        self.server.status_pass()
        return uuid

    def post(self, uuid: str, action: str) -> int:
        return self.server.call("POST", f"/services/{uuid}/{action}").status_code

    def read(self, uuid: str) -> dict[str, Any]:
        body: dict[str, Any] = self.server.call("GET", f"/services/{uuid}").json()
        return body

    def status(self, uuid: str) -> str:
        return str(self.read(uuid).get("status"))

    def containers(self, uuid: str) -> dict[str, Container]:
        found = self.host.containers
        return {name: item for name, item in found.items() if name.endswith(uuid)}


@pytest.fixture
def stacks(tmp_path: Path) -> Iterator[Stacks]:
    with serve(tmp_path) as server:
        project = server.call("POST", "/projects", {"name": "postgresql"}).json()["uuid"]
        servers = server.call("GET", "/servers").json()
        yield Stacks(server, project, servers[0]["uuid"])
