"""Candidates and blocking reasons, case by case."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pgha_exporter.failover import judge
from pgha_exporter.patroni.model import Cluster, Member, Own
from pgha_exporter.patroni.parse import parse_config
from tests.unit.clients.servers import recorded
from tests.unit.exporter.support import own

LSN = 83886752
MIB = 1048576


def member(name: str = "b", **changes: Any) -> Member:
    return dataclasses.replace(Member(name, "replica", "streaming", timeline=2), **changes)


def reasons(
    found: Member, answered: Own | None, config: dict[str, object] | None = None, lsn: int = LSN
) -> set[str]:
    leader = Member("a", "leader", "running", timeline=2)
    settings = parse_config({**recorded("config"), **(config or {})})
    return set(judge(Cluster((leader, found)), settings, {found.name: answered}, lsn).blocked["b"])


@pytest.mark.parametrize(
    ("found", "answered", "config", "lsn", "expected"),
    [
        (member(), own(), None, LSN, set()),
        (member(), own(), None, LSN + MIB, set()),
        (member(), own(), None, LSN + MIB + 1, {"lag"}),
        (member(), own(received=None, replayed=None), None, LSN, {"lag"}),
        # Patroni compares the larger of both.
        (member(), own(replayed=0), None, LSN, set()),
        (member(), None, None, LSN, {"unreachable"}),
        (member(tags={"nofailover": True}), own(), None, LSN, {"nofailover"}),
        (member(tags={"failover_priority": 0}), own(), None, LSN, {"nofailover"}),
        (member(), own(nofailover=True), None, LSN, {"nofailover"}),
        (member(), own(watchdog_failed=True), None, LSN, {"watchdog"}),
        (member(state="stopped"), None, None, LSN, {"state", "unreachable"}),
        (member(), own(state="starting"), None, LSN, {"state"}),
        (member(), own(timeline=1), None, LSN, {"timeline"}),
        (member(), own(), {"synchronous_mode": True}, LSN, {"not_sync"}),
        (member(role="sync_standby"), own(), {"synchronous_mode": True}, LSN, set()),
        (member(role="quorum_standby"), own(), {"synchronous_mode": "quorum"}, LSN, set()),
        (member(), own(), {"maximum_lag_on_failover": 10}, LSN + 11, {"lag"}),
    ],
)
def test_what_blocks_a_member(
    found: Member,
    answered: Own | None,
    config: dict[str, object] | None,
    lsn: int,
    expected: set[str],
) -> None:
    assert reasons(found, answered, config, lsn) == expected


def test_the_leader_is_not_judged_and_candidates_are_counted() -> None:
    cluster = Cluster((Member("a", "leader", "running"), member("b"), member("c", state="stopped")))
    verdict = judge(cluster, None, {"b": own(), "c": None}, LSN)
    assert set(verdict.blocked) == {"b", "c"}
    assert verdict.candidates == 1


def test_without_a_leader_all_are_judged() -> None:
    assert judge(Cluster((member("b"),)), None, {"b": own()}, None).candidates == 1
