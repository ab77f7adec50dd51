"""An etcd member asked over gRPC, with etcd3 as transport and login library.

etcd3 0.12 imports with current protobuf only when its pure Python implementation is chosen before
protobuf is first imported (kragniz/python-etcd3 issue 2709). That is safe here, where nothing else
uses protobuf. Questions go through its channel as bytes: etcd3's messages of 2020 do not know all
that etcd answers, and reading them in pure Python took a third of a collection's time. So does the
watch, whose thread waits in C instead of waking up five times a second, and which learns when etcd
cancels it or the member loses its leader (etcd3's own does not).

Rules kept here: every call has a timeout; the back-off of reconnecting is short, so that etcd's
return is seen within a second and not after twenty; ``list_alarms`` is never called, because each
call is a write through raft.
"""

from __future__ import annotations

import os

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import etcd3
import grpc

from pgha_exporter.errors import SourceError
from pgha_exporter.etcd import parse, wire
from pgha_exporter.etcd.model import (
    Endpoint,
    Event,
    MemberStatus,
    Peer,
    Value,
    prefix_end,
)
from pgha_exporter.postgres import read_secret

OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),
    (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1),
)
WITH_LEADER = ("hasleader", "true")
"""etcd then ends a watch through a member that has lost its leader, as a partitioned one has."""
_REASONS = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
    grpc.StatusCode.UNAVAILABLE: "refused",
    grpc.StatusCode.UNAUTHENTICATED: "auth",
    grpc.StatusCode.PERMISSION_DENIED: "auth",
}


class GrpcClient:
    """See `pgha_exporter.etcd.model.Client`."""

    def __init__(self, endpoint: Endpoint, timeout: float = 1.0) -> None:
        self._endpoint = endpoint
        parts = urlsplit(endpoint.url)
        secure = parts.scheme == "https"
        self._client = _translated(
            lambda: etcd3.client(
                host=_bracketed(parts.hostname or ""),
                port=parts.port,
                ca_cert=(endpoint.ca_file or None) if secure else None,
                cert_cert=(endpoint.cert_file or None) if secure else None,
                cert_key=(endpoint.key_file or None) if secure else None,
                user=endpoint.username or None,
                password=read_secret(endpoint.password_file) if endpoint.username else None,
                timeout=timeout,
                grpc_options=OPTIONS,
            )
        )
        self._watching: grpc.Call | None = None
        self._calls: dict[str, Callable[..., bytes]] = {}

    def status(self, timeout: float) -> MemberStatus:
        return parse.status(self._call("/etcdserverpb.Maintenance/Status", b"", timeout))

    def members(self, timeout: float) -> tuple[Peer, ...]:
        return parse.members(self._call("/etcdserverpb.Cluster/MemberList", b"", timeout))

    def get(self, key: str, timeout: float) -> Value | None:
        return next(iter(self._range({1: key}, timeout)), None)

    def prefix(self, prefix: str, timeout: float) -> tuple[Value, ...]:
        return self._range({1: prefix, 2: prefix_end(prefix)}, timeout)

    def lease_remaining(self, lease: int, timeout: float) -> float | None:
        request = wire.write({1: lease})
        return parse.ttl(self._call("/etcdserverpb.Lease/LeaseTimeToLive", request, timeout))

    def watch(self, prefix: str) -> Iterator[Event]:
        # One request is all that etcd needs; to the one who asks, it is a stream of answers.
        call = self._client.channel.unary_stream(
            "/etcdserverpb.Watch/Watch", request_serializer=_same, response_deserializer=_same
        )
        wanted = wire.write({1: wire.write({1: prefix, 2: prefix_end(prefix)})})
        stream = self._watching = call(
            wanted, metadata=(*(self._client.metadata or ()), WITH_LEADER)
        )
        try:
            while (answer := _translated(lambda: next(stream, None))) is not None:
                yield from parse.events(wire.read(answer))
        finally:
            stream.cancel()
        raise SourceError("refused", "etcd ended the watch")

    def close(self) -> None:
        if self._watching:
            self._watching.cancel()
        self._client.close()

    def _range(self, request: Mapping[int, str | bytes], timeout: float) -> tuple[Value, ...]:
        return parse.values(self._call("/etcdserverpb.KV/Range", wire.write(request), timeout))

    def _call(self, method: str, request: bytes, timeout: float) -> wire.Fields:
        call = self._calls.get(method) or self._calls.setdefault(
            method,
            self._client.channel.unary_unary(
                method, request_serializer=_same, response_deserializer=_same
            ),
        )
        # A login's token goes along as metadata. As call credentials, too, gRPC lets it through
        # with TLS only, and fails every call without (grpc/grpc issue 29643).
        answer = _translated(lambda: call(request, timeout=timeout, metadata=self._client.metadata))
        return wire.read(answer)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _same(raw: bytes) -> bytes:
    return raw


def _translated(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except SourceError:
        raise
    # etcd3 raises its own errors for some codes and gRPC's for the others.
    except (etcd3.exceptions.Etcd3Exception, grpc.RpcError, OSError, ValueError) as err:
        raise _source_error(err) from err


def _source_error(err: Exception) -> SourceError:
    if isinstance(err, SourceError):
        return err
    if isinstance(err, etcd3.exceptions.ConnectionTimeoutError):
        return SourceError("timeout", "etcd did not answer in time")
    if isinstance(err, etcd3.exceptions.ConnectionFailedError):
        return SourceError("refused", "etcd cannot be reached")
    if isinstance(err, grpc.RpcError) and hasattr(err, "code"):
        details = str(err.details() or "")
        reason = _REASONS.get(err.code(), "protocol")
        if reason == "refused" and ("SSL" in details or "handshak" in details.lower()):
            reason = "tls"
        if "auth token" in details or "user name" in details:
            reason = "auth"
        return SourceError(reason, f"etcd: {details[:200]}")
    return SourceError("protocol", f"etcd: {type(err).__name__}")
