"""Members of etcd take turns, and a quorum is never taken from an older answer."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pgha_exporter.errors import SourceError
from pgha_exporter.etcd.collector import EtcdFacts
from pgha_exporter.etcd.model import Lease
from pgha_exporter.etcd.turns import Answers, Turns
from pgha_exporter.source import FRESH_S, Source
from tests.unit.exporter.support import etcd_facts


class Member:
    """A member's collector; the test says what it answers, by its own clock."""

    def __init__(self, number: int, clock: list[float]) -> None:
        self.number, self.clock = number, clock
        self.asked = 0
        self.lives = self.has_quorum = True
        self.is_learner = False
        self.left: float | None = 30.0
        self.lease: Lease | None = None
        self.wants_lease: Callable[[], bool] = lambda: False

    def collect(self) -> EtcdFacts:
        self.asked += 1
        if not self.lives:
            raise SourceError("refused", "nobody there")
        status = dataclasses.replace(etcd_facts(self.number).status, is_learner=self.is_learner)
        quorum = self.has_quorum and not self.is_learner
        if self.wants_lease():
            self.lease = Lease(77, self.left, self.clock[0]) if self.left else None
        return etcd_facts(
            self.number,
            status=status,
            has_quorum=quorum,
            leader=etcd_facts(1).leader if quorum else None,
            lease=self.lease,
            at=self.clock[0],
        )

    def abort(self) -> None:
        pass


class Cluster:
    """Four members, asked once a second; with ``one_clock`` the sources go by the test's, too."""

    def __init__(self, *, one_clock: bool) -> None:
        self.clock = [100.0]
        clock = self.now if one_clock else time.monotonic
        self.members = {f"e{number}": Member(number, self.clock) for number in (1, 2, 3, 4)}
        sources = {
            name: Source(name, lambda m=member: m, 1.0, clock=clock)
            for name, member in self.members.items()
        }
        self.sources = sources
        self.turns = Turns(sources, clock=self.now)
        for name, member in self.members.items():
            member.wants_lease = lambda n=name: self.turns.wants_lease(n)  # type: ignore[misc]

    def now(self) -> float:
        return self.clock[0]

    def collect(self, after_s: float = 1.0) -> tuple[set[str], Answers]:
        """Who was asked, and every member's answer."""
        self.clock[0] += after_s
        before = {name: member.asked for name, member in self.members.items()}
        self.turns.ask()
        answers = self.turns.wait(time.monotonic() + 5)
        return {n for n, member in self.members.items() if member.asked > before[n]}, answers


@contextmanager
def collected(*, one_clock: bool) -> Iterator[Cluster]:
    """After its first collection."""
    found = Cluster(one_clock=one_clock)
    found.collect()
    yield found
    for source in found.sources.values():
        source.stop()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with collected(one_clock=False) as found:
        yield found


def test_quick_collections_read_through_the_leader_and_nobody_is_forgotten(
    cluster: Cluster,
) -> None:
    rounds = [cluster.collect() for _ in range(30)]
    assert [len(asked) for asked, _ in rounds] == [1] * 30
    readers = Counter(reader for asked, _ in rounds for reader in asked)
    assert readers["e1"] > 15  # it leads
    assert {readers[name] for name in ("e2", "e3", "e4")} <= {4, 5}
    for (_, answers), at in zip(rounds, range(102, 132), strict=True):
        ages = [at - facts.at for facts in answers.values() if facts]
        assert len(ages) == 4
        assert max(ages) < FRESH_S


def test_without_a_known_leader_the_voters_take_turns(cluster: Cluster) -> None:
    cluster.members["e1"].is_learner = True
    cluster.collect(FRESH_S)
    readers = [cluster.collect()[0] for _ in range(9)]
    assert Counter(reader for asked in readers for reader in asked) == {"e2": 3, "e3": 3, "e4": 3}


def test_slow_collections_ask_everybody(cluster: Cluster) -> None:
    assert cluster.collect(FRESH_S)[0] == set(cluster.members)


def test_who_failed_is_asked_each_time(cluster: Cluster) -> None:
    cluster.members["e3"].lives = False
    cluster.collect(FRESH_S)
    for _ in range(4):
        asked, answers = cluster.collect()
        assert "e3" in asked
        assert answers["e3"] is None


def test_a_failed_read_with_quorum_asks_the_others_at_once(cluster: Cluster) -> None:
    (reader,) = cluster.collect()[0]
    assert cluster.members[reader].has_quorum
    for member in cluster.members.values():
        member.has_quorum = False
    asked, answers = cluster.collect()
    assert asked == set(cluster.members)
    assert not any(facts and facts.has_quorum for facts in answers.values())


def test_one_lost_member_does_not_hide_the_quorum_of_the_others(cluster: Cluster) -> None:
    for member in cluster.members.values():
        member.lives = member.number == 4
    answers = cluster.collect()[1]
    assert [name for name, facts in answers.items() if facts and facts.has_quorum] == ["e4"]


def test_a_learner_is_asked_when_its_answer_is_old_and_reads_nothing(cluster: Cluster) -> None:
    cluster.members["e2"].is_learner = True
    cluster.collect(FRESH_S)
    times = [cluster.collect()[0] for _ in range(9)]
    assert not any("e2" in asked for asked in times)
    assert "e2" in cluster.collect()[0]


def asked_for_lease(cluster: Cluster, left: float | None = 30.0) -> list[str]:
    """Who is asked for the lease in the next collection, where everybody would answer ``left``."""
    cluster.clock[0] += 1
    for member in cluster.members.values():
        member.left = left
    cluster.turns.ask()
    wanted = [name for name in cluster.members if cluster.turns.wants_lease(name)]
    cluster.turns.wait(time.monotonic() + 5)
    return wanted


def test_the_lease_is_asked_for_when_it_must_have_been_renewed(cluster: Cluster) -> None:
    cluster.turns.lease_renewed_at = 26.0
    asked = [len(asked_for_lease(cluster)) for _ in range(11)]
    # 30 left in the collection before; five seconds later that is less than 26.
    assert asked == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]


def test_a_lease_that_is_renewed_late_is_asked_for_each_time(cluster: Cluster) -> None:
    asked_for_lease(cluster, 26)
    cluster.turns.lease_renewed_at = 26.0
    assert [len(asked_for_lease(cluster, left)) for left in (25, 24, 23, None, 30)] == [1] * 5
    assert asked_for_lease(cluster) == []


def test_without_patronis_settings_the_lease_is_asked_for_each_time(cluster: Cluster) -> None:
    assert [len(asked_for_lease(cluster)) for _ in range(3)] == [1, 1, 1]


def test_where_there_is_no_etcd_nobody_is_asked() -> None:
    turns = Turns({})
    turns.ask()
    assert turns.wait(time.monotonic()) == {}
