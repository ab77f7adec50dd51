"""Which stacks and ports belong to a server, a server without etcd among them."""

from __future__ import annotations

import pytest

from pgha.node.docker import Container
from pgha.node.facts import component_ports, stacks_here
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
