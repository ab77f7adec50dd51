"""etcd over both ways: the same values, the same failures, and no write through raft."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgha_exporter.changes import LeaderChanges
from pgha_exporter.errors import SourceError
from pgha_exporter.etcd import parse, wire
from pgha_exporter.etcd.collector import Durations, MemberCollector
from pgha_exporter.etcd.grpc_client import GrpcClient
from pgha_exporter.etcd.http_client import HttpClient
from pgha_exporter.etcd.model import Client, Endpoint, Event, Value
from pgha_exporter.etcd.watcher import Watcher
from pgha_exporter.lag import WalHistory
from tests.unit.exporter.etcd_server import (
    FakeEtcd,
    fake_etcd,
    fake_gateway,
    lose_and_gain_a_leader,
    wakes_when_closed,
)
from tests.unit.exporter.support import until

KEY = "/service/main/leader"


@contextmanager
def grpc_client() -> Iterator[Client]:
    with fake_etcd() as etcd:
        etcd.keys = {KEY: ("a", 77), "/service/main/status": ('{"optime": 5}', 0)}
        client = GrpcClient(Endpoint(etcd.url))
        yield client
        client.close()


@contextmanager
def http_client() -> Iterator[Client]:
    with fake_gateway() as url:
        client = HttpClient(Endpoint(url))
        yield client
        client.close()


@pytest.fixture(params=[grpc_client, http_client], ids=["grpc", "http"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    with request.param() as found:
        yield found


def test_a_members_own_state(client: Client) -> None:
    status = client.status(1)
    assert (status.member_id, status.leader_id, status.is_learner) == (11, 11, False)
    assert (status.db_size, status.db_in_use) == (4096, 2048)
    assert (status.raft_index, status.raft_applied) == (90, 88)


def test_the_member_list_tells_learners(client: Client) -> None:
    voter, learner = client.members(1)
    assert (voter.name, voter.is_learner, voter.client_urls) == ("e1", False, ("http://e1:2379",))
    assert learner.is_learner


def test_the_leader_key_and_its_lease(client: Client) -> None:
    value = client.get(KEY, 1)
    assert value == Value(KEY, "a", 77)
    assert client.lease_remaining(77, 1) == 25


def test_the_prefix(client: Client) -> None:
    assert client.prefix("/service/main/", 1)[0].key == KEY


def test_a_missing_key_and_a_lease_that_is_gone() -> None:
    with fake_etcd() as etcd:
        client = GrpcClient(Endpoint(etcd.url))
        assert client.get("/service/main/leader", 1) is None
        assert client.lease_remaining(5, 1) is None
        client.close()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "auth"),
        (grpc.StatusCode.UNAUTHENTICATED, "auth"),
        (grpc.StatusCode.INTERNAL, "protocol"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "timeout"),
    ],
)
def test_refusals_over_grpc(code: grpc.StatusCode, reason: str) -> None:
    with fake_etcd() as etcd:
        etcd.fails = dict.fromkeys(("Status", "Range"), code)
        client = GrpcClient(Endpoint(etcd.url))
        for call in (lambda: client.status(1), lambda: client.get(KEY, 1)):
            with pytest.raises(SourceError) as raised:
                call()
            assert raised.value.reason == reason
        client.close()


def frozen_port() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize("make", [GrpcClient, HttpClient])
def test_a_frozen_member_costs_the_timeout(make: Callable[[Endpoint], Client]) -> None:
    with frozen_port() as listener:
        client = make(Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        started = time.monotonic()
        with pytest.raises(SourceError) as raised:
            client.status(0.1)
        assert time.monotonic() - started < 1
        assert raised.value.reason in ("timeout", "refused")
        client.close()


def collector(etcd: FakeEtcd) -> MemberCollector:
    return MemberCollector(Endpoint(etcd.url), GrpcClient, KEY, Durations())


def test_a_collection_reads_with_quorum_and_writes_nothing() -> None:
    with fake_etcd() as etcd:
        etcd.keys = {KEY: ("a", 77)}
        found = collector(etcd)
        facts = found.collect()
        assert (facts.has_quorum, facts.leader) == (True, Value(KEY, "a", 77))
        assert facts.lease is not None
        assert (facts.lease.id, facts.lease.left) == (77, 25)
        assert facts.lease.at <= facts.at
        found.collect()
        # Alarm, Put, LeaseGrant and the like would be writes through raft.
        assert sorted(set(etcd.calls)) == ["LeaseTimeToLive", "MemberList", "Range", "Status"]
        assert etcd.calls.count("MemberList") == 1


def test_a_member_that_reads_with_quorum_is_not_asked_for_its_state_each_time() -> None:
    with fake_etcd() as etcd:
        found = collector(etcd)
        for _ in range(3):
            assert found.collect().has_quorum
        assert (etcd.calls.count("Status"), etcd.calls.count("Range")) == (1, 3)
        etcd.fails = {"Range": grpc.StatusCode.UNAVAILABLE}
        etcd.status[8] = ("etcdserver: no leader",)
        facts = found.collect()
        assert not facts.has_quorum
        assert facts.status.errors == ("etcdserver: no leader",)
        etcd.fails = dict.fromkeys(("Range", "Status"), grpc.StatusCode.UNAVAILABLE)
        with pytest.raises(SourceError):
            found.collect()


def test_a_member_is_asked_for_a_lease_when_wanted_and_for_one_that_it_has_not_told_of() -> None:
    wanted = [False]
    with fake_etcd() as etcd:
        etcd.keys = {KEY: ("a", 77)}
        found = MemberCollector(Endpoint(etcd.url), GrpcClient, KEY, Durations(), lambda: wanted[0])

        def asked() -> int:
            found.collect()
            return etcd.calls.count("LeaseTimeToLive")

        assert [asked(), asked()] == [1, 1]
        wanted[0] = True
        assert [asked(), asked()] == [2, 3]
        wanted[0] = False
        etcd.keys = {KEY: ("b", 78)}  # gone already; the next question may find it
        assert found.collect().lease is None
        etcd.keys = {KEY: ("a", 77)}
        assert found.collect().lease is not None


def test_a_member_without_quorum_answers_but_has_none() -> None:
    with fake_etcd() as etcd:
        etcd.fails = {"Range": grpc.StatusCode.UNAVAILABLE}
        facts = collector(etcd).collect()
        assert not facts.has_quorum
        assert facts.leader is None


def test_a_member_without_leader_is_not_waited_for() -> None:
    with fake_etcd() as etcd:
        etcd.status[4] = 0
        etcd.status[8] = ("etcdserver: no leader",)
        facts = collector(etcd).collect()
        assert not facts.has_quorum
        assert "Range" not in etcd.calls
        assert facts.status.errors == ("etcdserver: no leader",)


def test_a_learner_is_asked_only_for_its_status() -> None:
    with fake_etcd() as etcd:
        etcd.status[10] = 1
        etcd.fails = dict.fromkeys(("Range", "MemberList"), grpc.StatusCode.UNAVAILABLE)
        facts = collector(etcd).collect()
        assert facts.status.is_learner
        assert etcd.calls == ["Status"]


def test_durations_are_cumulative() -> None:
    durations = Durations()
    for seconds in (0.0005, 0.002, 99):
        durations.observe("status", seconds)
    buckets, total = durations.buckets("status")
    assert buckets[0] == ("0.001", 1)
    assert buckets[1] == ("0.005", 2)
    assert buckets[-2:] == [("5.0", 2), ("+Inf", 3)]
    assert total == pytest.approx(99.0025)


def test_the_watch_feeds_the_changes_and_moves_on_after_an_error() -> None:
    with frozen_port() as dead, fake_etcd() as etcd:
        etcd.keys = {KEY: ("a", 77)}
        changes = LeaderChanges("/service/main/", WalHistory())
        endpoints = [Endpoint(f"http://127.0.0.1:{dead.getsockname()[1]}"), Endpoint(etcd.url)]
        watcher = Watcher(endpoints[1:], GrpcClient, "/service/main/", changes)
        watcher.start()
        lose_and_gain_a_leader(etcd, KEY)
        assert until(lambda: changes.counts(0).by_cause["failover"] == 1)
        watcher.stop()
        # etcd itself then ends a watch through a member that has lost its leader.
        assert etcd.watch_asks_for["hasleader"] == "true"


def test_a_watch_that_etcd_cancels_or_that_is_closed_ends() -> None:
    with fake_etcd() as etcd:
        client = GrpcClient(Endpoint(etcd.url))
        watch = client.watch("/service/main/")
        etcd.events.put((KEY, "b"))
        etcd.events.put(None)
        assert next(watch) == Event(KEY, "b")
        with pytest.raises(SourceError):
            next(watch)
        client.close()
    with pytest.raises(SourceError, match="compacted"):
        parse.events(wire.read(wire.write({4: 1, 6: "compacted"})))


def test_closing_the_client_wakes_whoever_waits_for_an_event() -> None:
    with fake_etcd() as etcd:
        client = GrpcClient(Endpoint(etcd.url))
        assert wakes_when_closed(client, etcd.watched)


@given(st.dictionaries(st.integers(1, 500), st.integers(0, 2**64 - 1) | st.binary(max_size=50)))
def test_what_is_written_is_read(fields: dict[int, int | bytes]) -> None:
    assert wire.read(wire.write(fields)) == {k: [v] for k, v in fields.items() if v}


@given(st.binary(max_size=200))
def test_nonsense_over_grpc_is_a_source_error(raw: bytes) -> None:
    with suppress(SourceError):
        fields = wire.read(raw)
        parse.status(fields)
        parse.members(fields)
    with suppress(SourceError):
        parse.events(wire.read(raw))
