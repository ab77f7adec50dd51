"""Forty servers: seven voters, one learner, and thirty-two that only ask them."""

from __future__ import annotations

from typing import Any

from pgha.coolify.stacks import COMPONENTS, wanted_names
from pgha.render.files import directories_for, files_for
from pgha.render.patroni import local_config
from pgha.status import assemble
from tests.support.clusters import nodes_of, topology
from tests.unit.library.answers import NOW, World
from tests.unit.render.samples import secrets

BIG = topology(postgresql_nodes=nodes_of(40))
CLIENT = BIG.nodes[-1]


def verdict(world: World) -> dict[str, Any]:
    return assemble(world.topology, world.patroni, world.etcd, world.routes, world.coolify, now=NOW)


def test_only_members_have_an_etcd_stack() -> None:
    names = wanted_names(BIG, COMPONENTS, BIG.nodes)
    assert [node.name for node, part in names if part == "etcd"] == [*BIG.voters, *BIG.learners]
    assert len(names) == 8 + 40 + 40 + 40


def test_every_patroni_asks_the_voters_and_nobody_else() -> None:
    hosts = [local_config(BIG, node, secrets())["etcd3"]["hosts"] for node in BIG.nodes]
    voters = {f"{BIG.node(name).ip}:2379" for name in BIG.voters}
    assert all(set(asked) == voters for asked in hosts)
    # The first one is asked at the start; one dead server must not keep all others from starting.
    assert {asked[0] for asked in hosts} == voters


def test_a_client_has_what_its_tools_need_and_nothing_of_a_member() -> None:
    paths = [file.path for file in files_for(BIG, CLIENT, secrets()) if "/etcd/" in file.path]
    assert sorted(path.rsplit("/", 1)[1] for path in paths) == [
        "ca.crt",
        "client.crt",
        "client.key",
    ]
    directories = [directory.path for directory in directories_for(BIG, CLIENT)]
    assert "/var/lib/pgha/coolify_postgres/etcd" not in directories


def test_forty_healthy_servers_are_healthy() -> None:
    data = verdict(World(BIG))
    assert (data["problems"], data["disagreements"]) == ([], [])
    roles = [member["etcd"] for member in data["members"]]
    assert roles.count("client") == 32
    assert data["members"][-1]["coolify"] == dict.fromkeys(
        ("patroni", "router", "exporter"), "running:healthy"
    )


def test_a_client_that_no_voter_serves_is_a_problem() -> None:
    world = World(BIG)
    world.etcd[CLIENT.host].update(healthy=False, error="no etcd voter serves server-40.lan: x.")
    (problem,) = verdict(world)["problems"]
    assert problem == (
        "etcd of postgres-node-40 (server-40.lan): no etcd voter serves server-40.lan: x."
    )


def test_a_client_that_is_still_a_member_is_named() -> None:
    world = World(BIG)
    for answer in world.etcd.values():
        answer["members"].append({"name": CLIENT.name})
    stack = f"{BIG.cluster}-{CLIENT.name}-etcd"
    world.coolify["stacks"][stack] = "running:healthy"
    data = verdict(world)
    (problem,) = data["problems"]
    assert "etcd lists postgres-node-40 (server-40.lan) as a member" in problem
    assert any(f"Coolify still has the stack {stack}" in each for each in data["disagreements"])
