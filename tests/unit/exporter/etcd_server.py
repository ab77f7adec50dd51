"""An etcd member of the test's own: gRPC or the HTTP gateway, with what the test puts in."""

from __future__ import annotations

import base64
import queue
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from etcd3 import etcdrpc

from pgha_exporter.errors import SourceError
from pgha_exporter.etcd import wire
from pgha_exporter.etcd.model import Client
from tests.unit.clients.servers import Route, serve

STATUS = {1: wire.write({2: 11, 4: 3}), 2: "3.5.16", 3: 4096, 4: 11, 5: 90, 6: 3, 7: 88, 9: 2048}
MEMBERS = ((11, "e1", False, "http://e1:2379"), (12, "e2", True, "http://e2:2379"))


@dataclass
class FakeEtcd:
    """``keys`` maps a key to (value, lease); ``fails`` names calls that are refused.

    With a ``password`` only who brings one of the ``tokens`` is answered.
    """

    url: str = ""
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    status: dict[int, Any] = field(default_factory=lambda: dict(STATUS))
    fails: dict[str, grpc.StatusCode] = field(default_factory=dict)
    events: queue.Queue[tuple[str, str | None] | None] = field(default_factory=queue.Queue)
    calls: list[str] = field(default_factory=list)
    watched: threading.Event = field(default_factory=threading.Event)
    watch_asks_for: dict[str, str] = field(default_factory=dict)
    password: str = ""
    tokens: set[str] = field(default_factory=set)


@contextmanager
def fake_etcd() -> Iterator[FakeEtcd]:
    """Over gRPC, as etcd 3.5 speaks it."""
    etcd = FakeEtcd()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((_Handlers(etcd),))
    etcd.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield etcd
    finally:
        etcd.events.put(None)
        server.stop(0).wait(5)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, etcd: FakeEtcd) -> None:
        self._etcd = etcd

    def service(self, details: Any) -> Any:
        name = details.method.rsplit("/", 1)[-1]
        if name == "Watch":
            return grpc.stream_stream_rpc_method_handler(self._watch)
        answer = {
            "Status": self._status,
            "MemberList": self._members,
            "Range": self._range,
            "LeaseTimeToLive": self._lease,
            "Authenticate": self._login,
        }.get(name)
        if answer is None:
            return None

        def call(request: bytes, context: Any) -> bytes:
            self._etcd.calls.append(name)
            if name != "Authenticate":
                self._let_in(context)
            if name in self._etcd.fails:
                context.abort(self._etcd.fails[name], "etcdserver: refused by the test")
            return answer(request)

        return grpc.unary_unary_rpc_method_handler(call)

    def _let_in(self, context: Any) -> None:
        given = dict(context.invocation_metadata()).get("token")
        if self._etcd.password and given not in self._etcd.tokens:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "etcdserver: invalid auth token")

    def _login(self, raw: bytes) -> bytes:
        assert etcdrpc.AuthenticateRequest.FromString(raw).password == self._etcd.password
        token = f"token.{self._etcd.calls.count('Authenticate')}"
        self._etcd.tokens.add(token)
        return bytes(etcdrpc.AuthenticateResponse(token=token).SerializeToString())

    def _status(self, _: bytes) -> bytes:
        errors = self._etcd.status.get(8, ())
        plain = {number: value for number, value in self._etcd.status.items() if number != 8}
        return wire.write(plain) + b"".join(wire.write({8: text}) for text in errors)

    def _members(self, _: bytes) -> bytes:
        return b"".join(
            wire.write({2: wire.write({1: number, 2: name, 4: url, 5: int(learner)})})
            for number, name, learner, url in MEMBERS
        )

    def _range(self, raw: bytes) -> bytes:
        request = etcdrpc.RangeRequest.FromString(raw)
        answer = etcdrpc.RangeResponse()
        for key, (value, lease) in sorted(self._etcd.keys.items()):
            end = request.range_end or request.key + b"\0"
            if request.key <= key.encode() < end:
                answer.kvs.add(key=key.encode(), value=value.encode(), lease=lease)
        answer.count = len(answer.kvs)
        return bytes(answer.SerializeToString())

    def _lease(self, raw: bytes) -> bytes:
        request = etcdrpc.LeaseTimeToLiveRequest.FromString(raw)
        answer = etcdrpc.LeaseTimeToLiveResponse(
            ID=request.ID, TTL=25 if request.ID == 77 else -1, grantedTTL=30
        )
        return bytes(answer.SerializeToString())

    def _watch(self, requests: Any, context: Any) -> Iterator[bytes]:
        self._let_in(context)
        self._etcd.watch_asks_for = dict(context.invocation_metadata())
        next(requests)
        yield etcdrpc.WatchResponse(created=True, watch_id=1).SerializeToString()
        self._etcd.watched.set()
        while (event := self._etcd.events.get()) is not None:
            key, value = event
            answer = etcdrpc.WatchResponse(watch_id=1)
            kind = 1 if value is None else 0
            found = answer.events.add(type=kind)
            found.kv.key, found.kv.value = key.encode(), (value or "").encode()
            yield answer.SerializeToString()


def lose_and_gain_a_leader(etcd: FakeEtcd, key: str) -> None:
    """Once somebody watches."""
    assert etcd.watched.wait(5)
    etcd.events.put((key, None))
    etcd.events.put((key, "b"))


def wakes_when_closed(client: Client, watching: threading.Event) -> bool:
    """Whether closing the client ends a watch, once ``watching`` says that somebody waits."""
    ended: list[SourceError] = []

    def follow() -> None:
        try:
            list(client.watch("/service/main/"))
        except SourceError as err:
            ended.append(err)

    thread = threading.Thread(target=follow)
    thread.start()
    assert watching.wait(5)
    client.close()
    thread.join(5)
    return bool(ended)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GATEWAY: dict[str, Route] = {
    "POST /v3/maintenance/status": (
        200,
        {"header": {"member_id": "11"}, "version": "3.5.16", "dbSize": "4096", "leader": "11",
         "raftIndex": "90", "raftAppliedIndex": "88", "dbSizeInUse": "2048"},
    ),
    "POST /v3/cluster/member/list": (
        200,
        {"members": [{"ID": "11", "name": "e1", "clientURLs": ["http://e1:2379"]},
                     {"ID": "12", "name": "e2", "clientURLs": ["http://e2:2379"],
                      "isLearner": True}]},
    ),
    "POST /v3/kv/range": (
        200,
        {"kvs": [{"key": b64("/service/main/leader"), "value": b64("a"), "lease": "77"}]},
    ),
    "POST /v3/lease/timetolive": (200, {"ID": "77", "TTL": "25", "grantedTTL": "30"}),
}  # fmt: skip


@contextmanager
def fake_gateway(**routes: Route) -> Iterator[str]:
    """Over HTTP; routes by the last word of their path."""
    answers = {
        path: routes.get(path.rsplit("/", 1)[-1], answer) for path, answer in GATEWAY.items()
    }
    watch = routes.get("watch")
    if watch:
        answers["POST /v3/watch"] = watch
    with serve(answers) as server:
        yield server.url
