"""etcd's answers as values: protobuf fields by number, or the gateway's JSON.

Field numbers: api/etcdserverpb/rpc.proto of etcd 3.5 and 3.6.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from pgha_exporter.errors import SourceError
from pgha_exporter.etcd import wire
from pgha_exporter.etcd.model import Event, MemberStatus, Peer, Value


def status(fields: wire.Fields) -> MemberStatus:
    """StatusResponse."""
    header = wire.read(wire.blobs(fields, 1)[-1]) if 1 in fields else {}
    raft_index = wire.number(fields, 5)
    return MemberStatus(
        member_id=wire.number(header, 2),
        leader_id=wire.number(fields, 4),
        is_learner=bool(wire.number(fields, 10)),
        db_size=wire.number(fields, 3),
        db_in_use=wire.number(fields, 9),
        db_quota=wire.number(fields, 12),
        raft_index=raft_index,
        raft_applied=wire.number(fields, 7) or raft_index,
        errors=wire.texts(fields, 8),
        version=wire.text(fields, 2),
    )


def members(fields: wire.Fields) -> tuple[Peer, ...]:
    """MemberListResponse."""
    return tuple(_peer(wire.read(raw)) for raw in wire.blobs(fields, 2))


def _peer(fields: wire.Fields) -> Peer:
    return Peer(
        id=wire.number(fields, 1),
        name=wire.text(fields, 2),
        is_learner=bool(wire.number(fields, 5)),
        client_urls=wire.texts(fields, 4),
    )


def values(fields: wire.Fields) -> tuple[Value, ...]:
    """A RangeResponse."""
    return tuple(
        Value(wire.text(kv, 1), wire.text(kv, 5), wire.number(kv, 6))
        for kv in map(wire.read, wire.blobs(fields, 2))
    )


def events(fields: wire.Fields) -> tuple[Event, ...]:
    """The events of a WatchResponse; SourceError when it tells that the watch was cancelled."""
    if wire.number(fields, 4):
        raise SourceError("refused", f"etcd cancelled the watch: {wire.text(fields, 6)[:200]}")
    return tuple(_event(wire.read(raw)) for raw in wire.blobs(fields, 11))


def _event(fields: wire.Fields) -> Event:
    kv = wire.read(wire.blobs(fields, 2)[-1]) if 2 in fields else {}
    deleted = wire.number(fields, 1) == 1
    return Event(wire.text(kv, 1), None if deleted else wire.text(kv, 5))


def ttl(fields: wire.Fields) -> float | None:
    """Seconds of a LeaseTimeToLiveResponse; None for a lease that is gone, which is -1 there."""
    seconds = wire.number(fields, 3)
    return float(seconds) if seconds < 2**63 else None


def json_status(raw: Any) -> MemberStatus:
    """The gateway's StatusResponse; it writes 64-bit numbers as text and omits zeros."""
    raft_index = _int(raw, "raftIndex")
    return MemberStatus(
        member_id=_int(_object(raw).get("header", {}), "member_id"),
        leader_id=_int(raw, "leader"),
        is_learner=raw.get("isLearner") is True,
        db_size=_int(raw, "dbSize"),
        db_in_use=_int(raw, "dbSizeInUse"),
        db_quota=_int(raw, "dbSizeQuota"),
        raft_index=raft_index,
        raft_applied=_int(raw, "raftAppliedIndex") or raft_index,
        errors=_texts(raw, "errors"),
        version=str(raw.get("version", "")),
    )


def json_members(raw: Any) -> tuple[Peer, ...]:
    return tuple(
        Peer(
            _int(item, "ID"),
            str(item.get("name", "")),
            item.get("isLearner") is True,
            _texts(item, "clientURLs"),
        )
        for item in _objects(raw, "members")
    )


def json_values(raw: Any) -> tuple[Value, ...]:
    """A RangeResponse."""
    return tuple(
        Value(plain(item.get("key", "")), plain(item.get("value", "")), _int(item, "lease"))
        for item in _objects(raw, "kvs")
    )


def json_ttl(raw: Any) -> float | None:
    """Seconds of a LeaseTimeToLiveResponse; None for a lease that is gone, which is -1 there."""
    seconds = _int(raw, "TTL")
    return float(seconds) if seconds >= 0 else None


def json_events(raw: Any) -> tuple[Event, ...]:
    """The events of one line of a watch; SourceError when it tells that the watch was refused."""
    answer = _object(raw)
    result = _object(answer.get("result", {}))
    if "error" in answer or result.get("canceled"):
        raise SourceError("refused", f"etcd cancelled the watch: {str(raw)[:200]}")
    return tuple(_json_event(item) for item in _objects(result, "events"))


def _json_event(item: Mapping[str, Any]) -> Event:
    kv = _object(item.get("kv", {}))
    deleted = item.get("type") == "DELETE"
    return Event(plain(kv.get("key", "")), None if deleted else plain(kv.get("value", "")))


def plain(encoded: Any) -> str:
    """The text of a base64 value; raises SourceError."""
    try:
        return base64.b64decode(encoded).decode("utf-8", "replace")
    except (TypeError, ValueError, binascii.Error) as err:
        raise SourceError("protocol", "etcd: a value is not base64") from err


def _object(raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise SourceError("protocol", "etcd's answer is not an object")
    return raw


def _objects(raw: Any, name: str) -> list[Mapping[str, Any]]:
    found = _object(raw).get(name) or []
    if not isinstance(found, list):
        raise SourceError("protocol", f"etcd's {name} is not a list")
    return [_object(item) for item in found]


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = raw.get(name) or []
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _int(raw: Any, name: str) -> int:
    value = _object(raw).get(name, 0)
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as err:
        raise SourceError("protocol", f"etcd's {name} is not a number") from err
    if abs(number) >= 2**64:
        raise SourceError("protocol", f"etcd's {name} is no 64-bit number")
    return number
