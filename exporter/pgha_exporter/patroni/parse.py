"""Patroni's answers as values; what Patroni would not say is a SourceError."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pgha_exporter.errors import SourceError
from pgha_exporter.patroni.model import Cluster, Config, Member, Own


def parse_json(content: bytes) -> Any:
    """Raises SourceError for anything that is not JSON."""

    try:
        return json.loads(content)
    except (ValueError, RecursionError) as err:
        raise SourceError("protocol", f"the answer is not JSON: {type(err).__name__}") from err


def parse_cluster(raw: Any) -> Cluster:
    """Raises SourceError when it is not what Patroni says."""
    members = _mapping(raw, "/cluster").get("members")
    if not isinstance(members, list):
        raise SourceError("protocol", "/cluster has no list of members")
    scheduled = raw.get("scheduled_switchover")
    at = scheduled.get("at") if isinstance(scheduled, Mapping) else None
    return Cluster(
        members=tuple(_member(_mapping(item, "/cluster")) for item in members),
        paused=bool(raw.get("pause")),
        scheduled_switchover=unix_time(at),
    )


def _member(raw: Mapping[str, Any]) -> Member:
    tags = raw.get("tags")
    url = raw.get("api_url")
    return Member(
        name=str(raw.get("name", "")),
        role=str(raw.get("role", "")),
        state=str(raw.get("state") or "unknown"),
        api_url=url.removesuffix("/patroni") if isinstance(url, str) else None,
        timeline=_number(raw.get("timeline")),
        receive_lag=_first(_number(raw.get("receive_lag")), _number(raw.get("lag"))),
        # Before Patroni 4.1 there is only `lag`: what has not been received. Nothing is known of
        # what has been received and not replayed.
        replay_lag=_number(raw.get("replay_lag")),
        pending_restart=bool(raw.get("pending_restart")),
        tags=tags if isinstance(tags, Mapping) else {},
    )


def parse_config(raw: Any) -> Config:
    """Raises SourceError when it is not what Patroni says."""
    config = _mapping(raw, "/config")

    return Config(
        ttl=_float(config.get("ttl"), 30),
        loop_wait=_float(config.get("loop_wait"), 10),
        retry_timeout=_float(config.get("retry_timeout"), 10),
        maximum_lag=int(_float(config.get("maximum_lag_on_failover"), 1048576)),
        synchronous_mode=_synchronous_mode(config.get("synchronous_mode")),
        synchronous_nodes=int(_float(config.get("synchronous_node_count"), 1)),
        check_timeline=config.get("check_timeline") is True,
        standby_cluster=bool(config.get("standby_cluster")),
        hash=_hash(json.dumps(config, sort_keys=True)),
    )


def _synchronous_mode(value: object) -> str:
    text = str(value).lower()
    if text == "quorum":
        return text
    return "on" if text in ("on", "true", "yes", "1") else "off"


def parse_own(raw: Any) -> Own:
    """Raises SourceError when it is not what Patroni says."""
    own = _mapping(raw, "/patroni")
    if "state" not in own:
        raise SourceError("protocol", "/patroni has no state")
    xlog, tags = _part(own, "xlog"), _part(own, "tags")
    patroni = _part(own, "patroni")
    return Own(
        role=str(own.get("role") or ""),
        state=str(own.get("state") or "unknown"),
        timeline=_number(own.get("timeline")),
        location=_number(xlog.get("location")),
        received=_number(xlog.get("received_location")),
        replayed=_number(xlog.get("replayed_location")),
        nofailover=bool(tags.get("nofailover")) or tags.get("failover_priority") in (0, "0"),
        watchdog_failed=bool(own.get("watchdog_failed")),
        failsafe=bool(own.get("failsafe_mode_is_active")),
        pending_restart_settings=len(_part(own, "pending_restart_reason")),
        patroni_version=str(patroni.get("version") or ""),
        server_version=_number(own.get("server_version")),
        system_identifier=str(own.get("database_system_identifier") or ""),
        replication_state=str(own.get("replication_state") or ""),
        paused=bool(own.get("pause")),
        pending_restart=bool(own.get("pending_restart")),
    )


def parse_history(raw: Any) -> float:
    """Unix time of the last change of the timeline; 0 when there was none or it has no time."""
    if not isinstance(raw, list):
        raise SourceError("protocol", "/history is not a list")
    times = [unix_time(line[3]) for line in raw if isinstance(line, list) and len(line) > 3]
    return times[-1] if times else 0.0


def unix_time(text: object) -> float:
    """Unix time of an ISO 8601 text; 0 for anything else."""
    if not isinstance(text, str):
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _hash(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:16]


def _mapping(raw: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise SourceError("protocol", f"{what} is not an object")
    return raw


def _part(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = raw.get(name)
    return part if isinstance(part, Mapping) else {}


def _number(value: object) -> int | None:
    """None for what is no 64-bit number, in which PostgreSQL and Patroni count."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    return None


def _first(*numbers: int | None) -> int | None:
    return next((number for number in numbers if number is not None), None)


def _float(value: object, default: float) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return default
    return number if abs(number) < 2**62 else default
