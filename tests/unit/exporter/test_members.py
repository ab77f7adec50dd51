"""Members, lag and candidates while Patroni cannot say who is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pgha_exporter.errors import SourceError
from pgha_exporter.facts import Facts
from pgha_exporter.members import from_members
from pgha_exporter.patroni.api import Api
from pgha_exporter.patroni.collector import ClusterCollector
from pgha_exporter.patroni.parse import parse_cluster
from pgha_exporter.publish.cluster import lag_bytes
from tests.unit.clients.servers import FakeServer, recorded
from tests.unit.exporter.support import NAMES, fake_patroni, healthy, leader_own, own, patroni_facts

WHOLE = (200, recorded("cluster"))
BROKEN = (200, "what is no JSON, as a connection that ends without an answer")


@contextmanager
def collector(
    clock: list[float], answer: list[Any]
) -> Iterator[tuple[ClusterCollector, FakeServer]]:
    """One that has got a whole answer; ``answer[0]`` is what ``/cluster`` gives from now on."""
    routes = {"GET /cluster": lambda _: answer[0], "GET /liveness": (200, "")}
    with fake_patroni(routes=routes) as server:
        found = ClusterCollector(Api(server.url), clock=lambda: clock[0])
        assert found.collect().current
        yield found, server


def asked(server: FakeServer) -> int:
    return [path for _, path, _, _ in server.requests].count("/cluster")


def test_a_patroni_that_lives_without_etcd_is_up_and_left_alone() -> None:
    clock, answer = [1000.0], [WHOLE]
    with collector(clock, answer) as (found, server):
        answer[0] = BROKEN
        for later in (1, 1, 0.5, 1):
            clock[0] += later
            assert not found.collect().current
        # Whole, broken, left alone, left alone, broken again.
        assert asked(server) == 3
        answer[0] = WHOLE
        clock[0] += 16
        assert found.collect().current


def test_a_patroni_that_never_said_who_is_there_is_down() -> None:
    routes = {"GET /cluster": BROKEN, "GET /liveness": (200, "")}
    with fake_patroni(routes=routes) as server, pytest.raises(SourceError):
        ClusterCollector(Api(server.url)).collect()


def test_a_patroni_that_is_gone_is_down_at_once_and_asked_again_at_once() -> None:
    clock, answer = [1000.0], [WHOLE]
    with collector(clock, answer) as (found, _):
        pass
    for _ in range(2):
        with pytest.raises(SourceError) as raised:
            found.collect()
        assert raised.value.reason == "refused"


def test_a_patroni_that_is_not_alive_is_down() -> None:
    answer = [WHOLE]
    routes = {"GET /cluster": lambda _: answer[0], "GET /liveness": (503, "")}
    with fake_patroni(routes=routes) as server:
        found = ClusterCollector(Api(server.url))
        found.collect()
        answer[0] = BROKEN
        with pytest.raises(SourceError, match="liveness"):
            found.collect()


def test_members_say_themselves_who_leads_and_what_runs() -> None:
    last = parse_cluster(recorded("cluster"))
    owns = {NAMES[0]: own(role="replica"), NAMES[1]: leader_own(paused=True)}
    now = from_members(last, owns)
    assert [(m.name, m.role) for m in now.members] == [
        (NAMES[0], "replica"),
        (NAMES[1], "leader"),
        (NAMES[2], "replica"),
    ]
    assert now.members[2].state == "unknown"
    assert now.members[0].state == "streaming"
    assert now.paused


def without_cluster() -> Facts:
    facts = healthy()
    known = patroni_facts()
    owns = {name: seen.own for name, seen in facts.polled.items() if name != NAMES[2]}
    told = dataclasses.replace(known, cluster=from_members(known.cluster, owns), current=False)
    polled = {name: facts.polled[name] for name in NAMES[:2]}
    return dataclasses.replace(facts, patroni=told, polled=polled)


def test_lag_and_candidates_go_on_without_patronis_list() -> None:
    facts = without_cluster()
    assert facts.patroni is not None
    member = facts.patroni.cluster.member(NAMES[1])
    assert member is not None
    assert lag_bytes(facts, member) == lag_bytes(healthy(), member)
    verdict = facts.verdict(None)
    assert verdict is not None
    assert verdict.blocked[NAMES[1]] == frozenset()
    assert verdict.blocked[NAMES[2]] == {"unreachable", "state"}
