"""An etcd that asks for user and password, without TLS; its tokens end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pgha_exporter.changes import LeaderChanges
from pgha_exporter.errors import SourceError
from pgha_exporter.etcd.collector import Durations, MemberCollector
from pgha_exporter.etcd.grpc_client import GrpcClient
from pgha_exporter.etcd.model import Endpoint
from pgha_exporter.etcd.watcher import Watcher
from pgha_exporter.lag import WalHistory
from tests.unit.exporter.etcd_server import FakeEtcd, fake_etcd, lose_and_gain_a_leader
from tests.unit.exporter.support import until

KEY = "/service/main/leader"
# etcd3's watch thread ends so when its channel is closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def etcd() -> Iterator[FakeEtcd]:
    with fake_etcd() as found:
        found.password = "right"
        found.keys = {KEY: ("a", 77)}
        yield found


@pytest.fixture
def endpoint(etcd: FakeEtcd, tmp_path: Path) -> Endpoint:
    password = tmp_path / "password"
    password.write_text("right\n")
    return Endpoint(etcd.url, username="exporter", password_file=str(password))


def collector(endpoint: Endpoint) -> MemberCollector:
    return MemberCollector(endpoint, GrpcClient, KEY, Durations())


def test_a_login_works_without_tls(endpoint: Endpoint) -> None:
    assert collector(endpoint).collect().has_quorum


def test_a_token_that_has_ended_costs_no_answer(etcd: FakeEtcd, endpoint: Endpoint) -> None:
    found = collector(endpoint)
    found.collect()
    etcd.tokens.clear()
    assert found.collect().has_quorum
    assert etcd.calls.count("Authenticate") == 2


def test_who_is_refused_asks_only_once_more(etcd: FakeEtcd, endpoint: Endpoint) -> None:
    found = collector(endpoint)
    found.collect()
    etcd.tokens = _Forgetful()
    for logins in (2, 3):
        with pytest.raises(SourceError) as raised:
            found.collect()
        assert raised.value.reason == "auth"
        assert etcd.calls.count("Authenticate") == logins


def test_the_watch_logs_in_too(etcd: FakeEtcd, endpoint: Endpoint) -> None:
    changes = LeaderChanges("/service/main/", WalHistory())
    watcher = Watcher([endpoint], GrpcClient, "/service/main/", changes)
    watcher.start()
    lose_and_gain_a_leader(etcd, KEY)
    assert until(lambda: changes.counts(0).by_cause["failover"] == 1)
    watcher.stop()


class _Forgetful(set[str]):
    """No token is ever known."""

    def add(self, _: str) -> None:
        pass
