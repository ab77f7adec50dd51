"""What a collection needs is asked before it comes; a wrong guess costs only time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from pgha_exporter.errors import SourceError
from pgha_exporter.etcd import collector as module
from pgha_exporter.etcd.collector import Durations, MemberCollector
from pgha_exporter.etcd.grpc_client import GrpcClient
from pgha_exporter.etcd.model import Endpoint
from pgha_exporter.pace import Pace
from pgha_exporter.source import FRESH_S, Source
from tests.unit.exporter.etcd_server import fake_etcd
from tests.unit.exporter.support import until
from tests.unit.exporter.test_exporter import running
from tests.unit.exporter.test_turns import Cluster, collected

KEY = "/service/main/leader"
FIFTEEN_S = 15.0


def test_the_next_collection_is_expected_after_the_last_interval() -> None:
    pace = Pace()
    assert pace.next_at < 0
    pace.collected(100)
    assert pace.next_at < 0  # one collection tells no interval
    pace.collected(115)
    assert pace.next_at == 130
    pace.collected(125)
    assert pace.next_at == 135


def ahead(cluster: Cluster, after_s: float, needed_in_s: float) -> dict[str, int]:
    """How often each member was asked ahead of a collection."""
    cluster.clock[0] += after_s
    before = {name: member.asked for name, member in cluster.members.items()}
    cluster.turns.ask_ahead(cluster.clock[0] + needed_in_s)
    assert until(lambda: not any(source.is_asked for source in cluster.sources.values()))
    return {name: member.asked - before[name] for name, member in cluster.members.items()}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with collected(one_clock=True) as found:
        yield found


def test_before_a_slow_collection_everybody_is_asked_and_then_only_the_leader(
    cluster: Cluster,
) -> None:
    assert set(ahead(cluster, FIFTEEN_S - 2, needed_in_s=2).values()) == {1}
    assert set(ahead(cluster, 1, needed_in_s=1).values()) == {0}  # the next tick
    asked, answers = cluster.collect()
    assert asked == {"e1"}
    ages = [cluster.clock[0] - facts.at for facts in answers.values() if facts]
    assert (len(ages), max(ages)) == (4, 2)


def test_when_nobody_comes_nobody_is_asked_again(cluster: Cluster) -> None:
    needed_at = cluster.clock[0] + FIFTEEN_S
    assert set(ahead(cluster, FIFTEEN_S - 2, needed_in_s=2).values()) == {1}
    for _ in range(5):
        cluster.clock[0] += 60
        assert set(ahead(cluster, 0, needed_at - cluster.clock[0]).values()) == {0}
    assert cluster.collect()[0] == set(cluster.members)


def test_before_a_quick_collection_nobody_is_asked(cluster: Cluster) -> None:
    for _ in range(20):
        assert set(ahead(cluster, 0.5, needed_in_s=0.6).values()) == {0}
        assert len(cluster.collect(0.6)[0]) == 1


def test_who_fails_is_left_to_the_collection_that_shows_it(cluster: Cluster) -> None:
    cluster.members["e3"].lives = False
    cluster.collect(FRESH_S)
    assert ahead(cluster, FIFTEEN_S - 2, needed_in_s=2) == {"e1": 1, "e2": 1, "e3": 0, "e4": 1}
    asked, answers = cluster.collect(2)
    assert "e3" in asked
    assert answers["e3"] is None


def test_a_quorum_lost_after_the_question_ahead_shows(cluster: Cluster) -> None:
    ahead(cluster, FIFTEEN_S - 2, needed_in_s=2)
    for member in cluster.members.values():
        member.has_quorum = False
    answers = cluster.collect()[1]
    assert not any(facts and facts.has_quorum for facts in answers.values())


def test_the_lease_is_asked_for_ahead_of_one_member(cluster: Cluster) -> None:
    cluster.turns.lease_renewed_at = 20.0
    cluster.collect(FIFTEEN_S)
    cluster.clock[0] += FIFTEEN_S - 2
    cluster.turns.ask_ahead(cluster.clock[0] + 2)
    assert [name for name in cluster.members if cluster.turns.wants_lease(name)] == ["e1"]
    assert until(lambda: not any(source.is_asked for source in cluster.sources.values()))
    cluster.clock[0] += 2
    cluster.turns.ask()
    assert not any(cluster.turns.wants_lease(name) for name in cluster.members)
    cluster.turns.wait(cluster.clock[0] + 5)


class Preparing:
    """A collector that counts, and does what it is told after its answer."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.asked = self.prepared = 0
        self._then = then

    def collect(self) -> str:
        self.asked += 1
        return "fine"

    def prepare(self) -> None:
        self.prepared += 1
        self._then()

    def abort(self) -> None:
        pass


def _fail() -> None:
    raise SourceError("refused", "nobody there")


def test_a_preparation_comes_after_the_answer_and_may_fail() -> None:
    questions = Preparing(_fail)
    source: Source[str] = Source("x", lambda: questions, 1.0)
    for number in (1, 2):
        source.ask()
        assert source.wait(time.monotonic() + 1) == "fine"
        assert until(lambda n=number: questions.prepared == n)
    assert source.status().up
    assert not any(source.status().errors.values())
    source.stop()


def test_nobody_waits_for_a_preparation() -> None:
    source: Source[str] = Source("x", lambda: Preparing(lambda: time.sleep(1)), 5.0)
    started = time.monotonic()
    source.ask()
    assert source.wait(started + 5) == "fine"
    assert time.monotonic() - started < 0.5
    source.stop()


def test_an_etcd_member_renews_ahead_what_will_be_old(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_etcd() as etcd:
        etcd.keys = {KEY: ("a", 77)}
        found = MemberCollector(Endpoint(etcd.url), GrpcClient, KEY, Durations())
        found.collect()
        found.prepare()
        assert sorted(etcd.calls) == ["LeaseTimeToLive", "MemberList", "Range", "Status"]
        assert found.collect().lease is not None
        monkeypatch.setattr(module, "AHEAD_S", -1.0)
        monkeypatch.setattr(module, "MEMBERS_S", -1.0)
        found.prepare()
        counts = [etcd.calls.count(c) for c in ("LeaseTimeToLive", "MemberList", "Range", "Status")]
        assert counts == [2, 2, 2, 2]


def test_an_exporter_asks_ahead_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgha_exporter.exporter.REUSED_S", 0.0)
    monkeypatch.setattr("pgha_exporter.source.FRESH_S", 0.0)  # every answer is old at once
    with running() as exporter:
        patroni = exporter._sources.patroni
        exporter.collect()
        first = patroni.status().last_success
        exporter.collect()  # Patroni's answer is young enough for it
        assert patroni.status().last_success == first
        # Two collections tell a pace; the next tick is within a second.
        assert until(lambda: patroni.status().last_success > first, 3)


def test_a_tick_leaves_a_long_collection_alone_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    with running() as exporter:
        monkeypatch.setattr(exporter._sources, "tick", lambda: calls.append("tick"))
        monkeypatch.setattr(exporter._sources, "ask_ahead", lambda _: calls.append("ahead"))
        with exporter._lock:
            calls.clear()
            exporter._tick_once()
            assert "tick" in calls
            assert "ahead" not in calls
