"""One etcd member as a source: its status, and a read with quorum through it.

Only a linearizable read tells that there is a quorum: health pages, the member list and Patroni
itself go on answering without one. None of these calls writes through raft.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pgha_exporter.errors import GatewayError, SourceError
from pgha_exporter.etcd.model import Client, Endpoint, Lease, MemberStatus, Peer, Value
from pgha_exporter.names import ETCD_BUCKETS, ETCD_OPERATIONS
from pgha_exporter.source import FRESH_S

T = TypeVar("T")

STEP_S = 0.9
MEMBERS_S = 60.0
AHEAD_S = 0.5 * FRESH_S
"""Age at which a status is renewed after a read: the next one may come `RENEWED_S` later."""
REBUILD_AFTER = 3


@dataclass(frozen=True)
class EtcdFacts:
    """One member's answer.

    ``has_quorum`` tells whether it read with quorum; then ``leader`` is Patroni's leader key, None
    when there is no such key. ``lease`` is what this member last told, maybe of an earlier leader.
    ``members`` may be two minutes old, ``status`` `FRESH_S` while the member reads with quorum.
    """

    status: MemberStatus
    has_quorum: bool
    failure: str
    leader: Value | None
    lease: Lease | None
    members: tuple[Peer, ...]
    at: float


class Durations:
    """Histogram of etcd's answering times by operation; for all members together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {op: [0] * (len(ETCD_BUCKETS) + 1) for op in ETCD_OPERATIONS}
        self._sums = dict.fromkeys(ETCD_OPERATIONS, 0.0)

    def observe(self, operation: str, seconds: float) -> None:
        with self._lock:
            self._counts[operation][bisect_left(ETCD_BUCKETS, seconds)] += 1
            self._sums[operation] += seconds

    def buckets(self, operation: str) -> tuple[list[tuple[str, float]], float]:
        """Cumulative (upper bound, count) and the sum."""
        with self._lock:
            counts, total = list(self._counts[operation]), self._sums[operation]
        bounds = [*(str(bound) for bound in ETCD_BUCKETS), "+Inf"]
        running, cumulative = 0, []
        for bound, count in zip(bounds, counts, strict=True):
            running += count
            cumulative.append((bound, float(running)))
        return cumulative, total


class MemberCollector:
    """See the module.

    Args:
        leader_key: Patroni's ``/<namespace>/<scope>/leader``.
        wants_lease: whether this member is to be asked for the lease. It is asked besides when it
            sees one that it has told nothing of.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        new_client: Callable[[Endpoint], Client],
        leader_key: str,
        durations: Durations,
        wants_lease: Callable[[], bool] = lambda: True,
    ) -> None:
        self._endpoint, self._new_client = endpoint, new_client
        self._key, self._durations, self._wants_lease = leader_key, durations, wants_lease
        self._client: Client | None = None
        self._failures = 0
        self._status: MemberStatus | None = None
        self._status_at = float("-inf")
        self._lease: Lease | None = None
        self._members: tuple[Peer, ...] = ()
        self._members_at = float("-inf")

    def collect(self) -> EtcdFacts:
        had_token = self._client is not None and bool(self._endpoint.username)
        try:
            return self._collected()
        except SourceError as err:
            # A token has ended, or etcd has forgotten it, or this way does not lead to etcd: once
            # more, with a new login or the other way.
            if isinstance(err, GatewayError) or (had_token and err.reason == "auth"):
                return self._collected()
            raise

    def prepare(self) -> None:
        """While nobody waits: whatever will soon be old."""
        client = self._client
        if client is None or self._status is None:
            return
        if time.monotonic() - self._status_at >= AHEAD_S:
            self._status_now(client)
        self._list_members(client, self._status, MEMBERS_S)

    def abort(self) -> None:
        # Each call has its own timeout; a client closed under a call would tell nothing new.
        self._members_at = float("-inf")

    def _collected(self) -> EtcdFacts:
        try:
            facts = self._ask(self._opened())
        except SourceError as err:
            self._failed(err)
            raise
        self._failures = 0
        return facts

    def _ask(self, client: Client) -> EtcdFacts:
        known = self._status if time.monotonic() - self._status_at < FRESH_S else None
        leader, failure = self._leader(client, known) if known else (None, "")
        if known is None or failure:
            known = self._status_now(client)
            leader, failure = self._leader(client, known)
        self._list_members(client, known, 2 * MEMBERS_S)
        if leader and leader.lease:
            self._ask_lease(client, leader.lease)
        return EtcdFacts(
            known, not failure, failure, leader, self._lease, self._members, time.monotonic()
        )

    def _ask_lease(self, client: Client, lease: int) -> None:
        if self._lease and self._lease.id == lease and not self._wants_lease():
            return
        self._lease = None
        asked_at = time.monotonic()
        left = client.lease_remaining(lease, STEP_S)
        if left is not None:
            self._lease = Lease(lease, left, asked_at)

    def _status_now(self, client: Client) -> MemberStatus:
        self._status = None
        status = self._timed("status", lambda: client.status(STEP_S))
        self._status, self._status_at = status, time.monotonic()
        return status

    def _list_members(self, client: Client, status: MemberStatus, older_than_s: float) -> None:
        # A learner answers only about itself (etcd's isRPCSupportedForLearner).
        if not status.is_learner and time.monotonic() - self._members_at > older_than_s:
            self._members = client.members(STEP_S)
            self._members_at = time.monotonic()

    def _leader(self, client: Client, status: MemberStatus) -> tuple[Value | None, str]:
        if status.is_learner:
            return None, "a learner serves no reads"
        if not status.leader_id:
            # It would only be waited for until the timeout.
            return None, "the member follows no leader"
        try:
            read = self._timed("linearizable_read", lambda: client.get(self._key, STEP_S))
        except SourceError as err:
            if err.reason == "auth" or isinstance(err, GatewayError):
                raise
            return None, str(err)
        return read, ""

    def _timed(self, operation: str, call: Callable[[], T]) -> T:
        started = time.monotonic()
        try:
            return call()
        finally:
            self._durations.observe(operation, time.monotonic() - started)

    def _opened(self) -> Client:
        if self._client is None:
            self._client = self._new_client(self._endpoint)
        return self._client

    def _failed(self, err: SourceError) -> None:
        self._failures += 1
        # An expired token stays refused for ever, and a renewed certificate is read by a new one.
        useless = err.reason in ("auth", "tls") or isinstance(err, GatewayError)
        if useless or self._failures % REBUILD_AFTER == 0:
            client, self._client = self._client, None
            if client:
                client.close()
