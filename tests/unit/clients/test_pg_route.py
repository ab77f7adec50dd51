"""The routes against one real PostgreSQL behind every port; a replica is what the lab adds."""

from __future__ import annotations

import dataclasses

import pytest

from pgha.errors import FailedError, RefusedError
from pgha.pg.converge import apply_databases, apply_roles
from pgha.pg.databases import DatabaseSpec
from pgha.pg.heartbeat import new_token, wait_token, write_token
from pgha.pg.roles import declared_roles
from pgha.pg.route import Routes, check, prove, replica_sees
from pgha.topology import Topology
from tests.unit.clients.postgres_server import Server


@pytest.fixture(scope="module")
def alone(postgres: Server) -> Topology:
    """A cluster of one server, whose leader may also serve the readers."""
    settings = postgres.settings()
    apply_roles(settings, declared_roles(postgres.topology, postgres.verifiers)[1:])
    apply_databases(settings, DatabaseSpec("application", "app_user"))
    return dataclasses.replace(postgres.topology, nodes=postgres.topology.nodes[:1])


def routes(server: Server, cluster: Topology) -> Routes:
    return Routes(cluster, cluster.nodes[0], server.passwords["monitor"], server.config_root)


def test_all_three_ways_work(postgres: Server, alone: Topology) -> None:
    outcome = check(
        alone,
        alone.nodes[0],
        postgres.passwords["monitor"],
        config_root=postgres.config_root,
    )
    expected = {"ok": True, "server": "127.0.0.1", "error": None}
    assert outcome == {"read_write": expected, "read_only": expected, "pool": expected}


def test_the_leader_behind_the_readers_port_is_named_when_there_should_be_replicas(
    postgres: Server, alone: Topology
) -> None:
    outcome = check(
        postgres.topology,
        postgres.topology.nodes[0],
        postgres.passwords["monitor"],
        config_root=postgres.config_root,
    )
    assert outcome["read_write"]["ok"]
    assert not outcome["read_only"]["ok"]
    assert "leads to 127.0.0.1, which is no replica" in outcome["read_only"]["error"]


def test_a_way_that_does_not_work_does_not_hide_the_others(
    postgres: Server, alone: Topology
) -> None:
    broken = dataclasses.replace(alone, port=1)
    outcome = check(
        broken, alone.nodes[0], postgres.passwords["monitor"], config_root=postgres.config_root
    )
    assert [outcome[way]["ok"] for way in ("read_write", "read_only", "pool")] == [
        False,
        True,
        True,
    ]
    assert "localhost:1" in outcome["read_write"]["error"]


def test_a_certificate_for_another_name_breaks_the_route(postgres: Server, alone: Topology) -> None:
    """127.0.0.2 answers as well, and is not who the certificate says."""
    elsewhere = dataclasses.replace(alone, hostname="127.0.0.2")
    outcome = check(
        elsewhere,
        alone.nodes[0],
        postgres.passwords["monitor"],
        deadline_s=0.3,
        config_root=postgres.config_root,
    )
    assert not any(way["ok"] for way in outcome.values())


def test_a_token_is_seen_where_it_was_written_and_an_older_one_is_not(
    postgres: Server, alone: Topology
) -> None:
    settings = routes(postgres, alone).read_write()
    first, second = new_token(), new_token()
    write_token(settings, "postgres-node-1", first)
    write_token(settings, "postgres-node-1", second)
    assert wait_token(settings, "postgres-node-1", second, 0)["in_recovery"] is False
    with pytest.raises(Exception, match=r"127\.0\.0\.1.* does not have it yet"):
        wait_token(settings, "postgres-node-1", first, 0)


def test_prove_names_who_took_the_write(postgres: Server, alone: Topology) -> None:
    proof = prove(
        alone, alone.nodes[0], postgres.passwords["monitor"], config_root=postgres.config_root
    )
    assert proof == {"written_to": "postgres-node-1", "seen_on": []}


def test_prove_fails_with_a_sentence_for_each_replica_that_does_not_answer(
    postgres: Server, alone: Topology
) -> None:
    nodes = tuple(
        dataclasses.replace(node, ip=f"127.0.0.{20 + number}")
        for number, node in enumerate(postgres.topology.nodes[1:])
    )
    cluster = dataclasses.replace(alone, nodes=(*alone.nodes, *nodes))
    with pytest.raises(FailedError) as caught:
        prove(
            cluster,
            cluster.nodes[0],
            postgres.passwords["monitor"],
            deadline_s=0.3,
            config_root=postgres.config_root,
        )
    for node in nodes:
        assert f"PostgreSQL on {node.host} ({node.ip}:" in str(caught.value)


def test_two_servers_that_take_writes_are_an_alarm(postgres: Server, alone: Topology) -> None:
    way = routes(postgres, alone)
    token = new_token()
    write_token(way.read_write(), way.node.name, token)
    with pytest.raises(RefusedError, match="is not a replica although another server takes"):
        replica_sees(way, alone.nodes[0], token, 5)
