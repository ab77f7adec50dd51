"""What this node's Patroni says: itself, the cluster, the dynamic configuration, the history.

``/cluster``, ``/config`` and ``/history`` come from Patroni's copy of etcd and answer while
PostgreSQL hangs, but not while etcd refuses; ``/patroni`` asks PostgreSQL and then hangs with it,
so it is a source of its own. Both back off: Patroni has five request threads.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from pgha_exporter.errors import SourceError

STEP_TIMEOUT_S = 1.5
ALIVE_TIMEOUT_S = 0.3
LEFT_ALONE_S = (2.0, 4.0, 8.0, 15.0)
"""Pauses between questions for the cluster that are not answered; each holds one of Patroni's five
request threads for its retry_timeout."""
MAX_ANSWER = 4 * 1024 * 1024
SLOW_S = 10.0
"""How long the configuration and the history are kept; both change once in a while."""

LEADER_ROLES = ("leader", "standby_leader", "master")


@dataclass(frozen=True)
class Member:
    """One line of ``/cluster``; lags in bytes, None when unknown."""

    name: str
    role: str
    state: str
    api_url: str | None = None
    timeline: int | None = None
    receive_lag: int | None = None
    replay_lag: int | None = None
    pending_restart: bool = False
    tags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        return self.role in LEADER_ROLES


@dataclass(frozen=True)
class Cluster:
    """``/cluster``; ``scheduled_switchover`` as Unix time, 0 for none."""

    members: tuple[Member, ...]
    paused: bool = False
    scheduled_switchover: float = 0.0

    @property
    def leader(self) -> Member | None:
        return next((member for member in self.members if member.leads), None)

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True)
class Config:
    """``/config``; times in seconds, defaults as Patroni's own (patroni/global_config.py)."""

    ttl: float
    loop_wait: float
    retry_timeout: float
    maximum_lag: int
    synchronous_mode: str
    synchronous_nodes: int
    check_timeline: bool
    standby_cluster: bool
    hash: str


@dataclass(frozen=True)
class Own:
    """``/patroni`` of one member, answered by its PostgreSQL at this moment; LSNs in bytes."""

    role: str
    state: str
    timeline: int | None
    location: int | None
    received: int | None
    replayed: int | None
    nofailover: bool
    watchdog_failed: bool
    failsafe: bool
    pending_restart_settings: int
    patroni_version: str
    server_version: int | None
    system_identifier: str
    replication_state: str = ""
    paused: bool = False
    pending_restart: bool = False

    @property
    def is_primary(self) -> bool:
        return self.role in ("primary", "master", "standby_leader")

    @property
    def position(self) -> int | None:
        """As Patroni compares members: the larger of received and replayed."""
        known = [lsn for lsn in (self.received, self.replayed) if lsn is not None]
        return max(known) if known else self.location


@dataclass(frozen=True)
class PatroniFacts:
    """``last_change``: Unix time of the last line of the history, 0 for none.

    Not ``current``: Patroni lives but cannot say who is there, and this is as it last knew it.
    """

    cluster: Cluster
    config: Config | None
    last_change: float
    current: bool = True


_NOT_ANSWERED = (httpx.HTTPError, OSError, RuntimeError, ValueError)


class Api:
    """One Patroni asked over HTTP with a bound on every step and on the size of the answer."""

    def __init__(self, url: str, ca_file: str = "", transport: Any = None) -> None:
        self._url, self._ca_file, self._transport = url.rstrip("/"), ca_file, transport
        self._client: httpx.Client | None = None

    def get(self, path: str) -> Any:
        """The JSON of a path; Patroni answers 503 for a member that is not running, with JSON too.

        Raises:
            SourceError: why there is none.
        """
        try:
            return self._json(path)
        except _NOT_ANSWERED as err:
            raise _source_error(err, path) from err

    def check_alive(self) -> None:
        """``/liveness`` needs neither etcd nor PostgreSQL.

        Raises:
            SourceError: Patroni does not answer.
        """
        try:
            answer = self._opened().get(f"{self._url}/liveness", timeout=ALIVE_TIMEOUT_S)
        except _NOT_ANSWERED as err:
            raise _source_error(err, "/liveness") from err
        if answer.status_code != 200:
            raise SourceError("protocol", f"GET /liveness was answered {answer.status_code}")

    def close(self) -> None:
        client, self._client = self._client, None
        if client:
            client.close()

    def _json(self, path: str) -> Any:
        deadline = time.monotonic() + 2 * STEP_TIMEOUT_S
        content = bytearray()
        with self._opened().stream(
            "GET", f"{self._url}{path}", extensions={"trace": _Prompt()}
        ) as response:
            if response.status_code in (401, 403):
                raise SourceError("auth", f"GET {path} was answered {response.status_code}")
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER or time.monotonic() > deadline:
                    raise SourceError("protocol", f"GET {path}: the answer does not end")
            if response.status_code not in (200, 503):
                raise SourceError("protocol", f"GET {path} was answered {response.status_code}")
        return parse_json(bytes(content))

    def _opened(self) -> httpx.Client:
        if self._client is None:
            verify: ssl.SSLContext | bool = False
            if self._url.startswith("https"):
                # Without a CA of its own, the system's.
                verify = ssl.create_default_context(cafile=self._ca_file or None)
            self._client = httpx.Client(
                verify=verify, timeout=STEP_TIMEOUT_S, trust_env=False, transport=self._transport
            )
        return self._client


class _Prompt:
    """Acknowledges the pieces of an answer as they come (httpx' extension ``trace``).

    Over TLS Patroni takes leave in due form, and its kernel holds that last piece until the answer
    before it is acknowledged (Nagle), which ours puts off by 40 ms unless told so at each request.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
        elif event == "http11.send_request_body.complete" and self._socket is not None:
            with suppress(OSError, AttributeError):  # only Linux has it
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class ClusterCollector:
    """The source ``patroni``."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._slow_at = float("-inf")
        self._config: Config | None = None
        self._last_change = 0.0
        self._last: Cluster | None = None
        self._failures, self._failed_at = 0, 0.0

    def collect(self) -> PatroniFacts:
        """Raises SourceError when Patroni does not answer, or never said who is there."""
        if self._last and self._is_left_alone():
            self._api.check_alive()
            return self._as_last_known(self._last)
        try:
            cluster = self._cluster_now()
        except SourceError as err:
            # Refused and the like concern Patroni itself; no answer may be etcd's fault.
            if not self._last or err.reason not in ("timeout", "protocol"):
                raise
            self._failures += 1
            self._failed_at = self._clock()
            self._api.check_alive()
            return self._as_last_known(self._last)
        self._failures, self._last = 0, cluster
        return PatroniFacts(cluster, self._config, self._last_change)

    def _cluster_now(self) -> Cluster:
        cluster = parse_cluster(self._api.get("/cluster"))
        if self._clock() - self._slow_at > SLOW_S:
            self._config = self._config_now()
            self._last_change = parse_history(self._api.get("/history"))
            self._slow_at = self._clock()
        return cluster

    def _is_left_alone(self) -> bool:
        if not self._failures:
            return False
        pause = LEFT_ALONE_S[min(self._failures, len(LEFT_ALONE_S)) - 1]
        return self._clock() - self._failed_at < pause

    def _as_last_known(self, last: Cluster) -> PatroniFacts:
        return PatroniFacts(last, self._config, self._last_change, current=False)

    def abort(self) -> None:
        self._slow_at = float("-inf")

    def _config_now(self) -> Config | None:
        answer = self._api.get("/config")
        return parse_config(answer) if isinstance(answer, dict) and answer else None


class OwnCollector:
    """``/patroni`` of a member: this node's own, or a peer's."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def collect(self) -> Own:
        return parse_own(self._api.get("/patroni"))

    def abort(self) -> None:
        pass


def _source_error(err: Exception, path: str) -> SourceError:
    if isinstance(err, httpx.TimeoutException):
        return SourceError("timeout", f"GET {path}: {type(err).__name__}")
    if isinstance(err, httpx.ConnectError):
        tls = "ssl" in str(err).lower() or "certif" in str(err)
        return SourceError("tls" if tls else "refused", f"GET {path}: {err}")
    return SourceError("protocol", f"GET {path}: {type(err).__name__}: {err}")


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
