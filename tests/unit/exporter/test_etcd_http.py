"""etcd over its HTTP gateway: one connection that is kept, refusals, the watch, the other way."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgha_exporter.errors import GatewayError, SourceError
from pgha_exporter.etcd import gateway, http_client, parse
from pgha_exporter.etcd.collector import Durations, MemberCollector
from pgha_exporter.etcd.grpc_client import GrpcClient
from pgha_exporter.etcd.http_client import HttpClient
from pgha_exporter.etcd.model import Client, Endpoint, Event
from pgha_exporter.etcd.sources import client_factory
from pgha_exporter.settings import Settings
from tests.unit.exporter.etcd_server import b64, fake_etcd, fake_gateway, wakes_when_closed

KEY = "/service/main/leader"
COMMON_NAME = (400, "CommonName of client sending a request against gateway will be ignored")
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"leader": "11"}'


@pytest.mark.parametrize(
    ("answer", "reason"),
    [((500, "etcdserver: request timed out"), "timeout"), ((401, "no"), "auth"),
     ((200, "<html>"), "protocol"), ((200, []), "protocol"), (COMMON_NAME, "protocol"),
     ((400, "etcdserver: user name is empty"), "auth")],
)  # fmt: skip
def test_refusals(answer: tuple[int, object], reason: str) -> None:
    with fake_gateway(status=answer) as url:
        client = HttpClient(Endpoint(url))
        with pytest.raises(SourceError) as raised:
            client.status(1)
        assert raised.value.reason == reason
        client.close()


@dataclass
class RawServer:
    """Answers every question with ``answer``; closes a connection after ``questions`` of them."""

    answer: bytes = ANSWER
    questions: int = 1000
    port: int = 0
    connections: int = 0
    asked: list[bytes] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)

    def client(self) -> HttpClient:
        return HttpClient(Endpoint(f"http://127.0.0.1:{self.port}"))

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections += 1
                with connection, suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as questions:
            for _ in range(self.questions):
                head = b"".join(takewhile(lambda line: line.strip(), questions))
                length = re.search(rb"Content-Length: (\d+)", head)
                if not length:
                    return
                questions.read(int(length[1]))
                self.asked.append(head)
                connection.sendall(self.answer)
                self.heard.set()


@contextmanager
def raw_server(**values: object) -> Iterator[RawServer]:
    server = RawServer(**values)  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_the_connection_is_kept() -> None:
    with raw_server() as server:
        client = server.client()
        assert [client.status(1).leader_id for _ in range(5)] == [11] * 5
        assert server.connections == 1
        client.close()


def test_a_member_that_was_restarted_is_asked_again_at_once() -> None:
    with raw_server(questions=1) as server:
        client = server.client()
        assert [client.status(1).leader_id for _ in range(3)] == [11] * 3
        assert server.connections == 3
        client.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"nonsense\r\n\r\n", "protocol"), (b"", "timeout"),
     (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * 5_000_000, "protocol"),
     (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "protocol"),
     (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "timeout")],
    ids=["nonsense", "silence", "endless", "chunk", "cut"],
)  # fmt: skip
def test_an_answer_that_is_none(answer: bytes, reason: str) -> None:
    with raw_server(answer=answer) as server:
        client = server.client()
        with pytest.raises(SourceError) as raised:
            client.status(0.3)
        assert raised.value.reason == reason
        client.close()


HEADS = st.sampled_from(
    [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(HEADS, st.binary(max_size=100))
def test_nonsense_from_the_wire_is_a_source_error_and_holds_nobody(
    head: bytes, rest: bytes
) -> None:
    short = (patch.object(gateway, "BEGIN_S", 0.05), patch.object(http_client, "SILENCE_S", 0.05))
    with raw_server(answer=head + rest) as server, short[0], short[1]:
        client = server.client()
        started = time.monotonic()
        for ask in (lambda: client.status(0.05), lambda: next(client.watch("/service/main/"))):
            with suppress(SourceError):
                ask()
        client.close()
    assert time.monotonic() - started < 5


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SourceError) as raised:
        HttpClient(Endpoint(f"http://127.0.0.1:{port}")).status(1)
    assert raised.value.reason == "refused"


def test_the_watch() -> None:
    line = {"result": {"events": [{"kv": {"key": b64(KEY), "value": b64("b")}},
                                  {"type": "DELETE", "kv": {"key": b64(KEY)}}]}}  # fmt: skip
    with fake_gateway(watch=(200, json.dumps({"result": {"created": True}}) + "\n"
                             + json.dumps(line) + "\n")) as url:  # fmt: skip
        client = HttpClient(Endpoint(url))
        watch = client.watch("/service/main/")
        events = [next(watch), next(watch)]
        with pytest.raises(SourceError):
            next(watch)
        assert events == [Event(KEY, "b"), Event(KEY, None)]
        client.close()


@pytest.mark.parametrize(
    "line", [{"result": {"canceled": True}}, {"error": {"message": "etcdserver: no leader"}}]
)
def test_a_watch_that_etcd_cancels_ends(line: object) -> None:
    with fake_gateway(watch=(200, json.dumps(line) + "\n")) as url:
        client = HttpClient(Endpoint(url))
        with pytest.raises(SourceError, match="cancelled"):
            next(client.watch("/service/main/"))
        client.close()


def test_closing_the_client_wakes_whoever_waits_for_an_event() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with raw_server(answer=head) as server:
        assert wakes_when_closed(server.client(), server.heard)
        # etcd itself then ends a watch through a member that has lost its leader.
        assert b"Grpc-Metadata-hasleader: true" in server.asked[0]


def test_the_way_is_chosen_by_the_settings() -> None:
    with fake_gateway() as url:
        for protocol, kind in (("http", HttpClient), ("grpc", GrpcClient), ("auto", HttpClient)):
            made = client_factory(Settings(etcd_protocol=protocol))(Endpoint(url))
            assert isinstance(made, kind)
            made.close()


@pytest.mark.parametrize("refusal", [COMMON_NAME, (404, "404 page not found")])
def test_a_gateway_that_refuses_leads_to_grpc_and_only_where_it_may(
    refusal: tuple[int, str],
) -> None:
    with fake_gateway(status=refusal) as url:
        for protocol, kind in (("auto", GrpcClient), ("http", HttpClient)):
            factory = client_factory(Settings(etcd_protocol=protocol))
            with pytest.raises(GatewayError):
                factory(Endpoint(url)).status(1)
            other = factory(Endpoint(url))
            assert isinstance(other, kind)
            other.close()
            assert isinstance(factory(Endpoint("http://127.0.0.1:1")), HttpClient)


def test_no_collection_is_lost_to_a_gateway_that_refuses() -> None:
    with fake_gateway(status=COMMON_NAME) as url, fake_etcd() as etcd:
        etcd.keys = {KEY: ("a", 77)}
        ways: list[Client] = [GrpcClient(Endpoint(etcd.url)), HttpClient(Endpoint(url))]
        facts = MemberCollector(Endpoint(url), lambda _: ways.pop(), KEY, Durations()).collect()
        assert facts.has_quorum
        assert not ways


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["header", "members", "kvs", "key", "kv", "ID", "TTL", "errors", "result", "events"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=20)
@given(JSON)
def test_nonsense_over_http_is_a_source_error(raw: object) -> None:
    for read in (parse.json_status, parse.json_members, parse.json_values, parse.json_ttl):
        with suppress(SourceError):
            read(raw)
    with suppress(SourceError):
        parse.json_events(raw)
