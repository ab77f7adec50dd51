"""The master's part of a switchover and of a failover: whom it asks, and what it refuses."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from pgha.deploy.fleet import Answer
from pgha.errors import NotFoundError, RefusedError
from pgha.operate import switchover
from pgha.operate.failover import fail_over
from pgha.operate.operation import Operation
from pgha.operate.switchover import coordinator, switch_over
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet
from tests.unit.operate.test_candidates import FOURTH, LEADER, SECOND, THIRD, views

REPORT = {
    "old": LEADER.name, "new": THIRD.name, "timeline_before": 4, "timeline_after": 5,
    "held_ms": 2345, "phases": {"pause": 40, "promote": 2100}, "errors": [],
}  # fmt: skip


def fleet(standings: dict[str, Any] | None = None, **replies: Any) -> FakeFleet:
    seen = standings or views()
    return FakeFleet(
        {
            "patroni.standing": lambda minion, **_: seen[minion],
            "postgres_pool.guard": 4711,
            "postgres_db.checkpoint": 0.1,
            "patroni.switchover": REPORT,
            "patroni.failover": SECOND.name,
            **replies,
        }
    )


def operation(asked: FakeFleet, *, test: bool = False) -> Operation:
    return Operation(topology(), asked, step=lambda what: nullcontext(), test=test)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is given time to catch up."""
    monkeypatch.setattr(switchover, "CAUGHT_UP_S", 0)


def catching_up(looks: int, **before: Any) -> FakeFleet:
    """For so many looks the nodes are as given, then well."""
    seen: list[str] = []

    def standing(minion: str, **_: Any) -> Any:
        seen.append(minion)
        return (views(**before) if len(seen) <= 4 * looks else views())[minion]

    return fleet(**{"patroni.standing": standing})


@pytest.mark.parametrize(
    "before",
    [{"second": {"state": "running"}}, {"second": {"timeline": 3}}, {"leader": {"replicas": {}}}],
)
def test_a_target_that_is_only_behind_is_waited_for(before: dict[str, Any]) -> None:
    asked = catching_up(1, **before)
    assert switch_over(operation(asked), SECOND.name).changes
    assert asked.functions()[:2] == ["patroni.standing"] * 2


@pytest.mark.usefixtures("hurried")
def test_a_target_that_stays_behind_is_refused_with_what_was_seen_last() -> None:
    asked = catching_up(9, second={"state": "running"})
    with pytest.raises(RefusedError, match="it is running, not streaming"):
        switch_over(operation(asked), SECOND.name)
    assert asked.functions() == ["patroni.standing"] * 2


@pytest.mark.parametrize("before", [{"nofailover": True}, {"error": "Patroni is dead."}, None])
def test_what_does_not_pass_is_refused_at_once(before: Any) -> None:
    asked = catching_up(9, second=before)
    with pytest.raises(RefusedError, match="cannot become leader"):
        switch_over(operation(asked), SECOND.name)
    assert asked.functions() == ["patroni.standing"]


def test_a_plan_waits_for_nobody() -> None:
    asked = catching_up(9, second={"state": "running"})
    with pytest.raises(RefusedError, match="not streaming"):
        switch_over(operation(asked, test=True), SECOND.name)
    assert asked.functions() == ["patroni.standing"]


def test_guards_and_checkpoint_come_before_the_one_server_that_hands_over() -> None:
    asked = fleet()
    outcome = switch_over(operation(asked))
    assert outcome.changes == {"leader": {"old": LEADER.name, "new": THIRD.name}}
    assert "timeline 4 -> 5" in outcome.report[0]
    assert "waited at most 2.35 s (pause 40 ms, promote 2100 ms)" in outcome.report[1]
    functions = asked.functions()
    assert functions[0] == "patroni.standing"
    assert set(functions[1:3]) == {"postgres_pool.guard", "postgres_db.checkpoint"}
    minions, function, given = asked.asked[3]
    assert (minions, function) == ((SECOND.host,), "patroni.switchover")
    assert (given["leader"], given["target"]) == (LEADER.name, THIRD.name)


def test_a_plan_says_who_would_lead_and_touches_nothing() -> None:
    asked = fleet()
    outcome = switch_over(operation(asked, test=True), "app-server-2.lan")
    assert outcome.changes["leader"]["new"] == SECOND.name
    assert asked.functions() == ["patroni.standing"]
    assert "eligible, 300 bytes behind" in " ".join(outcome.report)


def test_a_target_that_leads_already_is_success_without_a_change() -> None:
    outcome = switch_over(operation(fleet()), LEADER.host)
    assert (outcome.changes, outcome.report) == (
        {}, ["postgres-node-1 (app-server-1.lan) leads already."],
    )  # fmt: skip


def test_an_unknown_node_is_named_before_anybody_is_asked() -> None:
    asked = fleet()
    with pytest.raises(NotFoundError, match="'nobody' is not a node"):
        switch_over(operation(asked), "nobody")
    assert asked.asked == []


def test_a_paused_cluster_none_or_two_leaders_are_refused() -> None:
    for seen, text in (
        (views(second={"paused": True}), "is paused"),
        (views(leader=None), "No node leads"),
        (views(second={"role": "leader", "state": "running"}), "both say that they lead"),
    ):
        with pytest.raises(RefusedError, match=text):
            switch_over(operation(fleet(seen)))


def test_a_pool_that_an_interrupted_run_left_paused_is_resumed_first() -> None:
    asked = fleet(views(fourth={"pool_paused": True}), **{"postgres_pool.resume": True})
    outcome = switch_over(operation(asked), LEADER.host)
    assert asked.asked[1][:2] == ((FOURTH.host,), "postgres_pool.resume")
    assert "builder.lan was still paused" in outcome.report[1]


def test_without_a_guard_nothing_is_begun_unless_forced() -> None:
    broken = {"postgres_pool.guard": Answer(error="the guard of the pool did not start.")}
    with pytest.raises(RefusedError, match=r"app-server-1.lan: the guard.*Nothing was changed"):
        switch_over(operation(fleet(**broken)))
    outcome = switch_over(operation(fleet(**broken)), force=True)
    assert outcome.changes
    assert "the guard of the pool did not start" in " ".join(outcome.report)


def test_a_third_server_hands_over_and_the_new_leader_when_there_is_none() -> None:
    context = operation(fleet())
    assert coordinator(context, views(), LEADER, SECOND) == THIRD
    assert coordinator(context, views(third=None), LEADER, SECOND) == FOURTH
    assert coordinator(context, views(third=None, fourth=None), LEADER, SECOND) == SECOND


def test_failover_is_refused_while_a_leader_is_alive() -> None:
    with pytest.raises(RefusedError, match=r"postgres-node-1.*is alive.*postgres.switchover"):
        fail_over(operation(fleet()), confirm="coolify_postgres")


def test_failover_says_what_may_be_lost_and_wants_the_clusters_name() -> None:
    dead = views(leader=None, second={"lag_bytes": 4096, "wal_position": 2000})
    asked = fleet(dead)
    with pytest.raises(RefusedError, match=r"postgres-node-2.*4096 bytes of WAL.*CONFIRM="):
        fail_over(operation(asked))
    assert asked.functions() == ["patroni.standing"]
    plan = fail_over(operation(asked, test=True))
    assert plan.changes["leader"]["new"] == SECOND.name
    done = fail_over(operation(asked), confirm="coolify_postgres")
    assert done.changes["leader"]["new"] == SECOND.name
    assert asked.asked[-1][:2] == ((SECOND.host,), "patroni.failover")


def test_failover_to_a_named_survivor_that_cannot_lead_says_why() -> None:
    dead = views(leader=None, third={"nofailover": True})
    with pytest.raises(RefusedError, match="nofailover"):
        fail_over(operation(fleet(dead)), THIRD.name, confirm="coolify_postgres")
