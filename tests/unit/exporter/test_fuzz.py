"""Answers that were real and got damaged on the way, to the end: the metrics and the page."""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families

from pgha_exporter.errors import SourceError
from pgha_exporter.etcd import parse, wire
from pgha_exporter.etcd.collector import Durations
from pgha_exporter.exporter import Collection
from pgha_exporter.facts import Facts, Seen
from pgha_exporter.lag import WalHistory
from pgha_exporter.members import from_members
from pgha_exporter.patroni.model import PatroniFacts
from pgha_exporter.patroni.parse import (
    parse_cluster,
    parse_config,
    parse_history,
    parse_json,
    parse_own,
)
from pgha_exporter.publish import cluster, etcd, node
from pgha_exporter.samples import Samples
from pgha_exporter.settings import Settings
from pgha_exporter.web.home import home
from pgha_exporter.web.request import BadRequestError, parse_head
from tests.unit.clients.servers import recorded
from tests.unit.exporter.etcd_server import GATEWAY
from tests.unit.exporter.support import NAMES, NOW, etcd_facts, healthy, url
from tests.unit.exporter.test_exporter import status
from tests.unit.exporter.test_web import raw, running, status_of

JUNK = st.sampled_from(
    [None, True, "", "0", "unknown", "\ud800", "\x00", "é" * 300, -1, 0, 2**63, 10**400, 1e308,
     float("nan"), float("inf"), [], {}, [[]], {"at": []}, "9999-12-31T23:59:59+00:00"]
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys that lead there."""
    yield path
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, item in inner:
        yield from places(item, (*path, key))


def damaged(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """A copy with something else at one place."""
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = damaged(copy[path[0]], path[1:], junk)
    return copy


@st.composite
def answers(draw: st.DrawFn, original: Any) -> Any:
    """A real answer with junk in up to three places."""
    value = original
    for _ in range(draw(st.integers(1, 3))):
        value = damaged(value, draw(st.sampled_from(list(places(value)))), draw(JUNK))
    return value


def shown(facts: Facts) -> None:
    """The metrics can be parsed again, in both formats, and the page written."""
    samples = Samples("main")
    node.publish(samples, facts)
    cluster.publish(samples, facts, WalHistory(), 3)
    etcd.publish(samples, facts, Durations(), 0)
    registry = type("Registry", (), {"collect": lambda _: samples.families()})()
    for accept in ("", "application/openmetrics-text; version=1.0.0"):
        assert choose_encoder(accept)[0](registry).decode()
    list(text_string_to_metric_families(choose_encoder("")[0](registry).decode()))
    collection = Collection(NOW, NOW, facts, samples, {"patroni": status()})
    assert home(Settings(scope="main", member=NAMES[1]), collection)


@settings(max_examples=40, deadline=None)
@given(answers(recorded("cluster")), answers(recorded("config")), answers(recorded("history")))
def test_damaged_clusters_are_shown_or_refused(told: Any, config: Any, history: Any) -> None:
    with suppress(SourceError):
        told = parse_json(json.dumps(told).encode())
        facts = PatroniFacts(
            parse_cluster(told),
            parse_config(config),
            parse_history(history),
        )
        shown(healthy(patroni=facts))
        shown(healthy(patroni=dataclasses.replace(facts, cluster=from_members(facts.cluster, {}))))


@settings(max_examples=40, deadline=None)
@given(answers(recorded("patroni_replica")), answers(recorded("patroni_leader")))
def test_damaged_members_are_shown_or_refused(one: Any, other: Any) -> None:
    with suppress(SourceError):
        own, leader = parse_own(one), parse_own(other)
        polled = {NAMES[0]: Seen(leader, NOW), NAMES[1]: Seen(own, NOW), NAMES[2]: Seen(own, NOW)}
        shown(healthy(polled=polled))


@settings(max_examples=40, deadline=None)
@given(
    answers(GATEWAY["POST /v3/maintenance/status"][1]),  # type: ignore[index]
    answers(GATEWAY["POST /v3/cluster/member/list"][1]),  # type: ignore[index]
    answers(GATEWAY["POST /v3/kv/range"][1]),  # type: ignore[index]
)
def test_damaged_answers_of_the_gateway_are_shown_or_refused(
    state: Any, members: Any, values: Any
) -> None:
    with suppress(SourceError):
        leader = parse.json_values(values)
        changes = {"status": parse.json_status(state), "members": parse.json_members(members)}
        answer = etcd_facts(1, **changes, leader=leader[0] if leader else None)  # type: ignore[misc]
        shown(healthy(etcd={url(1): answer, url(2): None}))


STATUS = wire.write(
    {1: wire.write({1: 7, 2: 11, 4: 3}), 2: "3.5.16", 3: 4096, 4: 11, 5: 90, 6: 3, 7: 88, 9: 2048}
)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(STATUS) - 1), st.integers(0, 255), st.integers(0, len(STATUS)))
def test_damaged_bytes_of_etcd_are_shown_or_refused(at: int, byte: int, end: int) -> None:
    content = bytearray(STATUS)
    content[at] = byte
    with suppress(SourceError):
        answer = etcd_facts(1, status=parse.status(wire.read(bytes(content[:end]))))
        shown(healthy(etcd={url(1): answer}))


@pytest.mark.parametrize("junk", ["\ud800", 10**400, 2**64, -(2**70)])
@pytest.mark.parametrize("path", [("name",), ("role",), ("state",), ("timeline",), ("replay_lag",)])
def test_what_has_once_cost_all_metrics(path: tuple[str, ...], junk: object) -> None:
    told = damaged(recorded("cluster"), ("members", 1, *path), junk)
    shown(healthy(patroni=PatroniFacts(parse_cluster(told), None, 0.0)))
    own = damaged(recorded("patroni_replica"), ("database_system_identifier",), junk)
    own = damaged(own, ("xlog", "replayed_location"), junk)
    shown(healthy(polled={NAMES[1]: Seen(parse_own(own), NOW)}, postgres=None))


HEADS = st.lists(
    st.sampled_from(
        [b"GET", b"HEAD", b"POST", b" ", b"/", b"/metrics", b"//", b"?", b" HTTP/1.1", b" HTTP/1.0",
         b" HTTP/9.9", b"\r\n", b"\n", b"\r", b"Host: a", b"Host", b": ", b":", b"Content-Length: ",
         b"0", b"-1", b"99999999999999999999", b"Transfer-Encoding: chunked", b"Connection: close",
         b"Authorization: Basic ", b"AAAA", b"=", b"\x00", b"\xff", b"\t", b"x" * 3000]
    ),
    max_size=25,
).map(b"".join)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(HEADS)
def test_what_looks_like_a_request_is_one_or_is_refused(head: bytes) -> None:
    try:
        request = parse_head(head)
    except BadRequestError as err:
        assert 400 <= err.status < 500  # noqa: PT017 - both outcomes are right
    else:
        assert request.path
        assert "\n" not in "".join((request.path, request.query, *request.headers.values()))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as found:
        yield found


@settings(max_examples=40, deadline=None)
@given(HEADS, st.booleans())
def test_no_connection_ends_the_server(port: int, content: bytes, reset: bool) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        if reset:
            # Closing then sends a reset, in the middle of whatever the server does.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        with suppress(OSError):
            connection.sendall(content + b"\r\n\r\n")
    assert raw(port, b"GET /alive HTTP/1.0\r\n\r\n").endswith(b"GET /alive")


def test_a_client_that_says_no_more_still_gets_its_answer(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert status_of(received) == 200


def test_a_head_that_comes_byte_by_byte_is_read(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /slow HTTP/1.0\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert connection.recv(65536).endswith(b"GET /slow")
