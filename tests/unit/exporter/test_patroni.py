"""Patroni's answers, good and bad, and one that does not come."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgha_exporter import tls
from pgha_exporter.errors import SourceError
from pgha_exporter.patroni import api
from pgha_exporter.patroni.api import Api
from pgha_exporter.patroni.collector import ClusterCollector, OwnCollector
from pgha_exporter.patroni.parse import (
    parse_cluster,
    parse_config,
    parse_history,
    parse_json,
    parse_own,
)
from tests.unit.clients.servers import (
    closed_port,
    dripping_server,
    hung_server,
    recorded,
    serve,
)
from tests.unit.exporter.support import fake_patroni
from tests.unit.exporter.test_web import write_pair

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
KEYS = ("members", "scheduled_switchover", "name", "role", "tags", "lag", "at", "xlog", "state",
        "patroni", "ttl", "synchronous_mode", "pending_restart_reason", "api_url")  # fmt: skip
LIKELY = st.recursive(
    JSON, lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=6), max_leaves=20
)


def test_a_cluster_is_read() -> None:
    cluster = parse_cluster(recorded("cluster_replica_not_streaming"))
    assert cluster.leader is not None
    assert cluster.leader.name == "postgres-node-1"
    behind = cluster.member("postgres-node-2")
    assert behind is not None
    assert (behind.receive_lag, behind.replay_lag, behind.timeline) == (672, 280, 1)
    assert behind.api_url == "https://172.28.0.21:8008"


def test_a_paused_cluster_and_a_pending_restart_are_seen() -> None:
    cluster = parse_cluster(recorded("cluster_paused_pending_restart"))
    assert cluster.paused
    assert any(member.pending_restart for member in cluster.members)
    assert parse_own(recorded("patroni_leader_pending_restart")).pending_restart_settings


def test_lag_of_a_patroni_before_4_1_and_an_unknown_one() -> None:
    raw = {"members": [{"name": "a", "role": "replica", "lag": 5},
                       {"name": "b", "role": "replica", "lag": "unknown"}]}  # fmt: skip
    first, second = parse_cluster(raw).members
    assert (first.receive_lag, first.replay_lag) == (5, None)
    assert (second.receive_lag, second.replay_lag) == (None, None)


def test_a_scheduled_switchover_has_its_time() -> None:
    raw = {"members": [], "scheduled_switchover": {"at": "2026-11-24T07:00:00+00:00"}}
    assert parse_cluster(raw).scheduled_switchover == 1795503600


def test_own_position_is_the_larger_one() -> None:
    raw = {**recorded("patroni_replica"), "xlog": {"received_location": 7, "replayed_location": 5}}
    assert parse_own(raw).position == 7
    assert parse_own({**raw, "xlog": {"location": 9}}).position == 9


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (False, "off"),
        (None, "off"),
        ("off", "off"),
        (True, "on"),
        ("on", "on"),
        ("quorum", "quorum"),
    ],
)
def test_synchronous_mode_in_all_its_spellings(mode: object, expected: str) -> None:
    assert parse_config({"synchronous_mode": mode}).synchronous_mode == expected


def test_the_same_configuration_has_the_same_hash_in_any_order() -> None:
    config = recorded("config")
    turned = dict(reversed(config.items()))
    assert parse_config(config).hash == parse_config(turned).hash
    assert parse_config({**config, "ttl": 31}).hash != parse_config(config).hash


@pytest.mark.parametrize(
    "parse",
    [parse_cluster, parse_config, parse_own, parse_history],
)
@settings(max_examples=15)
@given(raw=LIKELY)
def test_nonsense_is_a_source_error(parse: Any, raw: Any) -> None:
    with suppress(SourceError):
        parse(raw)


@given(st.binary())
def test_no_json_is_a_source_error(content: bytes) -> None:
    with suppress(SourceError):
        parse_json(content)


def test_a_whole_answer() -> None:
    with fake_patroni() as server:
        facts = ClusterCollector(Api(server.url)).collect()
    assert len(facts.cluster.members) == 3
    assert facts.config is not None
    assert facts.config.ttl == 30
    assert facts.last_change == pytest.approx(1795427260.557)


def test_what_changes_rarely_is_asked_rarely() -> None:
    with fake_patroni() as server:
        collector = ClusterCollector(Api(server.url))
        for _ in range(3):
            collector.collect()
        paths = [path for _, path, _, _ in server.requests]
    assert (paths.count("/cluster"), paths.count("/config"), paths.count("/history")) == (3, 1, 1)


def reason(url: str) -> str:
    started = time.monotonic()
    with pytest.raises(SourceError) as raised:
        OwnCollector(Api(url)).collect()
    assert time.monotonic() - started < 1
    return raised.value.reason


def test_every_way_of_not_answering_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as url:
        assert reason(url) == "refused"
    with monkeypatch.context() as short, hung_server() as url:
        short.setattr(api, "STEP_TIMEOUT_S", 0.05)
        assert reason(url) == "timeout"
    with serve({"GET /patroni": (200, "<html>")}) as server:
        assert reason(server.url) == "protocol"
    with serve({"GET /patroni": (401, "")}) as server:
        assert reason(server.url) == "auth"
        assert reason(server.url.replace("http:", "https:")) in ("tls", "refused")


def test_an_answer_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_ANSWER", 1000)
    with serve({"GET /patroni": (200, '"' + "a" * 5000 + '"')}) as server:
        assert reason(server.url) == "protocol"


def test_a_dripping_answer_holds_no_scrape() -> None:
    from pgha_exporter.source import Source

    with dripping_server() as url:
        source = Source("x", lambda: OwnCollector(Api(url)), 0.1)
        source.ask()
        started = time.monotonic()
        assert source.wait(started + 5) is None
        assert time.monotonic() - started < 0.5


def test_a_member_that_does_not_run_answers_503_with_its_state() -> None:
    with serve({"GET /patroni": (503, {"state": "stopped", "role": "replica"})}) as server:
        assert OwnCollector(Api(server.url)).collect().state == "stopped"


class _TakesLeave(ThreadingHTTPServer):
    """Ends TLS in due form, as Patroni does (patroni/api.py, ``shutdown_request``)."""

    def shutdown_request(self, request: Any) -> None:
        with suppress(OSError):
            request.settimeout(1)
            request.unwrap()
        super().shutdown_request(request)


class _InPieces(BaseHTTPRequestHandler):
    """As Patroni's: the head is sent, and then the body."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def in_pieces(tmp_path: Path) -> Iterator[Api]:
    write_pair(tmp_path)
    server = _TakesLeave(("127.0.0.1", 0), _InPieces)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    untrusting = httpx.HTTPTransport(verify=False)  # the certificate names nobody
    yield Api(f"https://127.0.0.1:{server.server_address[1]}", transport=untrusting)
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_in_pieces_is_not_held_up_by_late_acknowledgements(in_pieces: Api) -> None:
    def seconds() -> float:
        started = time.monotonic()
        assert in_pieces.get("/patroni") == {}
        return time.monotonic() - started

    assert min(seconds() for _ in range(5)) < 0.035


def test_a_tls_session_is_resumed_and_a_stranger_refused(in_pieces: Api) -> None:
    resumed: list[bool | None] = []

    class Told(tls._Remembering):
        def close(self) -> None:
            resumed.append(self.session_reused)
            super().close()

    context = tls.resuming_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.sslsocket_class = Told
    asking = Api(in_pieces._url, transport=httpx.HTTPTransport(verify=context))
    assert [asking.get("/patroni") for _ in range(3)] == [{}] * 3
    assert resumed == [False, True, True]
    with pytest.raises(SourceError) as refused:
        Api(in_pieces._url).get("/patroni")
    assert refused.value.reason == "tls"
