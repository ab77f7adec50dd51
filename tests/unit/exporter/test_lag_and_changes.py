"""Honest lag in seconds, and why the leader changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgha_exporter.changes import LeaderChanges
from pgha_exporter.etcd.model import Event, Value
from pgha_exporter.lag import KEPT, WalHistory

PREFIX = "/service/main/"


def test_another_database_system_begins_with_positions_of_its_own() -> None:
    wal = history((1, 1000), (2, 9000))
    wal.forget()
    wal.add(3, 500)
    assert wal.seconds_behind(500, at=4) == 0
    wal.add(10, 600)
    assert wal.seconds_behind(500, at=12) == 2


def history(*seen: tuple[float, int]) -> WalHistory:
    found = WalHistory()
    for at, lsn in seen:
        found.add(at, lsn)
    return found


def test_lag_is_the_age_of_the_first_position_not_replayed() -> None:
    wal = history((0, 100), (10, 200), (20, 300))
    assert wal.seconds_behind(100, at=25) == 15
    assert wal.seconds_behind(150, at=25) == 15
    assert wal.seconds_behind(250, at=25) == 5


def test_an_idle_leader_means_no_lag() -> None:
    assert history((0, 100)).seconds_behind(100, at=9999) == 0


def test_what_the_leader_wrote_later_says_nothing_about_an_earlier_look() -> None:
    assert history((0, 100), (10, 200)).seconds_behind(100, at=9.9) == 0


def test_a_silent_member_falls_ever_further_behind() -> None:
    wal = history((0, 100), (10, 200))
    assert wal.seconds_behind(100, at=11, now=70) == 60


def test_nothing_known_means_no_lag_to_tell() -> None:
    assert WalHistory().seconds_behind(5, at=1) is None


def test_what_an_old_leader_wrote_and_lost_is_waited_for_by_nobody() -> None:
    wal = WalHistory()
    wal.add(0, 1000, timeline=1)
    wal.add(10, 9000, timeline=1)  # never sent to anybody
    wal.add(20, 2000, timeline=2)
    assert wal.newest == 2000
    assert wal.seconds_behind(2000, at=90) == 0


def test_an_old_leader_that_comes_back_tells_nothing_new() -> None:
    wal = WalHistory()
    wal.add(0, 1000, timeline=2)
    wal.add(10, 9000, timeline=1)
    assert wal.newest == 1000
    wal.add(20, 1500, timeline=2)
    assert wal.seconds_behind(1000, at=25) == 5


def test_a_restored_cluster_begins_anew() -> None:
    wal = history((0, 2**45), (10, 5000))
    assert wal.newest == 5000


def test_memory_is_bounded() -> None:
    wal = WalHistory()
    for number in range(3 * KEPT):
        wal.add(number * 2.0, number)
    assert len(wal._seen) == KEPT


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 2**50)), max_size=30),
    st.integers(0, 2**50),
)
def test_lag_is_never_negative(seen: list[tuple[float, int]], replayed: int) -> None:
    lag = history(*sorted(seen)).seconds_behind(replayed, at=5e5)
    assert lag is None or lag >= 0


@pytest.fixture
def changes() -> LeaderChanges:
    found = LeaderChanges(PREFIX, WalHistory())
    found.sync([Value(f"{PREFIX}leader", "a")], 0, 1000)
    return found


def put(changes: LeaderChanges, key: str, value: object, now: float) -> None:
    text = value if isinstance(value, str) or value is None else json.dumps(value)
    changes.event(Event(PREFIX + key, text), now, 1000 + now)


def counted(changes: LeaderChanges, now: float = 100) -> tuple[dict[str, int], float]:
    counts = changes.counts(now)
    return {cause: n for cause, n in counts.by_cause.items() if n}, counts.leaderless


def test_a_switchover_is_one(changes: LeaderChanges) -> None:
    put(changes, "failover", {"leader": "a", "member": "b"}, 1)
    put(changes, "leader", None, 3.5)
    put(changes, "leader", "b", 4)
    put(changes, "failover", {}, 4)
    assert counted(changes) == ({"switchover": 1}, 0.5)
    assert changes.counts(5).last["switchover"] == 1004


def test_a_scheduled_switchover_is_one_at_its_time(changes: LeaderChanges) -> None:
    request = {"leader": "a", "scheduled_at": "1970-01-01T00:50:00+00:00"}
    put(changes, "failover", request, 1)
    changes.event(Event(f"{PREFIX}leader", None), 2001, 3001)
    changes.event(Event(f"{PREFIX}leader", "b"), 2002, 3002)
    assert counted(changes, 3000)[0] == {"switchover": 1}


def test_a_crash_before_the_scheduled_time_is_a_failover(changes: LeaderChanges) -> None:
    put(changes, "failover", {"leader": "a", "scheduled_at": "1970-01-01T00:50:00+00:00"}, 1)
    put(changes, "leader", None, 30)
    put(changes, "leader", "b", 31)
    assert counted(changes)[0] == {"failover": 1}


def test_an_expired_lease_is_a_failover(changes: LeaderChanges) -> None:
    put(changes, "leader", None, 30)
    assert changes.counts(40).leaderless == 10
    put(changes, "leader", "b", 42)
    assert counted(changes) == ({"failover": 1}, 12)


def test_a_manual_failover_names_no_leader(changes: LeaderChanges) -> None:
    put(changes, "failover", {"member": "b"}, 1)
    put(changes, "leader", "b", 2)
    assert counted(changes)[0] == {"failover": 1}


def test_the_same_leader_again_is_no_change(changes: LeaderChanges) -> None:
    put(changes, "leader", None, 10)
    put(changes, "leader", "a", 11)
    put(changes, "leader", "a", 21)
    assert counted(changes) == ({}, 1)


def test_an_old_request_explains_nothing(changes: LeaderChanges) -> None:
    put(changes, "failover", {"leader": "a", "member": "b"}, 1)
    put(changes, "failover", {}, 2)
    put(changes, "leader", "b", 500)
    assert counted(changes, 600)[0] == {"failover": 1}


def test_what_the_watch_missed_has_an_unknown_cause(changes: LeaderChanges) -> None:
    changes.polled("b", 50, 1050)
    assert counted(changes)[0] == {}
    changes.polled("b", 65, 1065)
    changes.polled("b", 80, 1080)
    assert counted(changes)[0] == {"unknown": 1}


def test_a_scrape_ahead_of_the_watch_leaves_the_cause_to_it(changes: LeaderChanges) -> None:
    put(changes, "failover", {"leader": "a", "member": "b"}, 1)
    changes.polled("b", 3, 1003)
    put(changes, "leader", "b", 3.1)
    changes.polled("b", 18, 1018)
    assert counted(changes)[0] == {"switchover": 1}


def test_the_first_leader_ever_seen_is_no_change() -> None:
    found = LeaderChanges(PREFIX, WalHistory())
    found.polled("a", 0, 1000)
    found.sync([Value(f"{PREFIX}leader", "a")], 1, 1001)
    assert counted(found) == ({}, 0)


def test_positions_of_the_leader_are_kept() -> None:
    wal = WalHistory()
    found = LeaderChanges(PREFIX, wal)
    found.sync([Value(f"{PREFIX}status", '{"optime": 700}')], 1, 1)
    found.event(Event(f"{PREFIX}status", '{"optime": 900, "slots": {}}'), 11, 11)
    assert wal.newest == 900


@given(st.lists(st.tuples(st.sampled_from(["leader", "failover", "status", "x"]),
                          st.none() | st.text() | st.sampled_from(["[]", "{}", '{"optime": -1}'])),
                max_size=20))  # fmt: skip
def test_nonsense_in_etcd_breaks_nothing(events: list[tuple[str, str | None]]) -> None:
    found = LeaderChanges(PREFIX, WalHistory())
    for number, (key, value) in enumerate(events):
        found.event(Event(PREFIX + key, value), number, number)
    assert found.counts(1000).leaderless >= 0
