"""Which stacks and ports belong to a server, a server without etcd among them."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import UnreachableError
from pgha.node import facts
from pgha.node.docker import Container, Docker
from pgha.node.facts import component_ports, stacks_here
from pgha.node.ports import Listener
from tests.support.clusters import nodes_of, topology

BIG = topology(postgresql_nodes=nodes_of(40))
MEMBER, CLIENT = BIG.nodes[7], BIG.nodes[8]


def container(service: str, stack: str) -> Container:
    return Container(f"{service}-abc", service, stack, "running", "Up", "image")


def test_a_member_has_four_stacks_and_their_ports() -> None:
    assert list(stacks_here(BIG, MEMBER, [])) == [
        f"coolify_postgres-postgres-node-8-{part}"
        for part in ("etcd", "patroni", "router", "exporter")
    ]
    assert {2379, 2380} <= set().union(*component_ports(BIG, MEMBER).values())


def test_a_client_needs_neither_the_stack_nor_the_ports_of_etcd() -> None:
    assert list(component_ports(BIG, CLIENT)) == ["patroni", "router", "exporter"]
    assert all(not name.endswith("-etcd") for name in stacks_here(BIG, CLIENT, []))


@pytest.mark.parametrize("node", [MEMBER, CLIENT])
def test_a_container_is_seen_whether_it_belongs_there_or_not(node: object) -> None:
    stack = f"coolify-postgres-{node.name}-etcd"  # type: ignore[attr-defined]
    found = stacks_here(BIG, node, [container("etcd", stack)])  # type: ignore[arg-type]
    assert {"etcd": "running"} in found.values()


class Engine(Docker):
    """One etcd container, which runs from the second look on; answers after so many refusals."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__()
        self.refusals = refusals
        self.looks = 0

    def version(self) -> str:
        self.refusals -= 1
        if self.refusals >= 0:
            raise UnreachableError("the Docker daemon on this server does not answer")
        return "26.1.5"

    def containers(self) -> list[Container]:
        self.looks += 1
        state = "created" if self.looks == 1 else "running"
        stack = facts.slug(facts.stack_name(BIG, MEMBER, "etcd"))
        return [Container("etcd-abc", "etcd", stack, state, "", "image")]

    def started_at(self, container: str) -> float:
        return 2e9

    def image_ids(self, references: Any) -> dict[str, str | None]:
        return dict.fromkeys(references, "sha256:1")

    def networks(self) -> dict[str, list[str]]:
        return {"coolify": []}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ports on which somebody listens here."""
    ports: list[int] = []

    def listeners(wanted: Any, _: Any) -> list[Listener]:
        return [Listener(port, MEMBER.ip, "etcd (pid 7)") for port in ports if port in wanted]

    monkeypatch.setattr(facts, "listeners", listeners)
    return ports


def test_a_container_that_was_just_starting_has_not_taken_its_own_port(taken: list[int]) -> None:
    taken.append(2379)
    engine = Engine()
    seen = facts.gather(BIG, MEMBER, engine)
    assert seen["listeners"] == []
    assert {"etcd": "running"} in seen["stacks"].values()
    assert engine.looks == 2


def test_a_port_of_somebody_else_is_still_named(taken: list[int]) -> None:
    taken += [2379, 5432]
    seen = facts.gather(BIG, MEMBER, Engine())
    assert [each["port"] for each in seen["listeners"]] == [5432]


@pytest.mark.usefixtures("taken")
def test_docker_of_a_server_that_has_just_been_started_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facts, "DOCKER_DEADLINE_S", 0)
    seen = facts.gather(BIG, MEMBER, Engine(refusals=1))
    assert "does not answer" in seen["problems"][0]
    monkeypatch.setattr(facts, "DOCKER_DEADLINE_S", 0.01)
    seen = facts.gather(BIG, MEMBER, Engine(refusals=1))
    assert (seen["docker"], seen["problems"]) == ("26.1.5", [])
