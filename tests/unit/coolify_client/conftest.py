from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from pgha.coolify.client import CoolifyClient
from pgha.topology import Node, Topology
from tests.unit.coolify_client.fake import TOKEN, URL, Clock, FakeCoolify


@pytest.fixture
def topology() -> Topology:
    return Topology.from_pillar({"coolify_url": URL})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake(topology: Topology) -> FakeCoolify:
    """A Coolify that knows the four servers and nothing else."""
    fake = FakeCoolify()
    for node in topology.nodes:
        fake.add_server(node.host, node.ip)
    return fake


@pytest.fixture
def make_client(fake: FakeCoolify, clock: Clock) -> Iterator[Callable[..., CoolifyClient]]:
    def make(token: str = TOKEN) -> CoolifyClient:
        return CoolifyClient(URL, token, transport=fake.transport(), clock=clock, sleep=clock.sleep)

    return make


@pytest.fixture
def client(make_client: Callable[..., CoolifyClient]) -> CoolifyClient:
    return make_client()


def compose_of(topology: Topology, node: Node, component: str) -> str:
    """Stands in for the renderer; JSON is YAML."""
    services: dict[str, object] = {component: {"image": f"pgha/{component}:1"}}
    if component == "router":
        services["pgbouncer"] = {"image": "pgha/router:1"}
    return json.dumps({"services": services, "x-node": node.name})
