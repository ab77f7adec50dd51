"""Changes of the leader, told from the order of writes below Patroni's prefix in etcd.

Measured on Patroni 4.1: a switchover writes ``failover`` {leader, member}, deletes ``leader``, and
the new one puts it and empties ``failover``. After a crash ``leader`` vanishes when its lease ends
and nobody writes ``failover`` before. ``patronictl failover`` names no leader in ``failover``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from pgha_exporter.etcd.model import Event, Value
from pgha_exporter.lag import WalHistory
from pgha_exporter.names import CAUSES
from pgha_exporter.patroni.parse import unix_time

# A request that Patroni could not carry out is taken back by then.
REQUEST_VALID_S = 120.0
CLOCK_S = 5.0
"""How much earlier by this clock a scheduled switchover may begin by the leader's."""


@dataclass(frozen=True)
class ChangeCounts:
    """``by_cause`` counts changes, ``last`` is their Unix time; ``leaderless`` in seconds."""

    by_cause: dict[str, int]
    last: dict[str, float]
    leaderless: float


class LeaderChanges:
    """Counts changes; fed by the watch and, for what the watch missed, by each scrape's read.

    Every method takes ``now`` (monotonic) and may be called from any thread.
    """

    def __init__(self, prefix: str, history: WalHistory) -> None:
        self._prefix, self._history = prefix, history
        self._lock = threading.Lock()
        self._leader: str | None = None
        self._known = False
        self._gone_at: float | None = None
        self._missed: tuple[str | None] | None = None
        self._requested_at: float | None = None
        self._scheduled_for = 0.0
        self._counts = dict.fromkeys(CAUSES, 0)
        self._last = dict.fromkeys(CAUSES, 0.0)
        self._leaderless = 0.0

    def sync(self, values: Iterable[Value], now: float, wall: float) -> None:
        """The whole prefix, read when a watch begins: what changed before has no known cause."""
        found = {value.key.removeprefix(self._prefix): value.value for value in values}
        with self._lock:
            self._see_request(found.get("failover"), now)
            self._see_leader(found.get("leader"), now, wall, watched=False)
        self._see_status(found, now)

    def event(self, event: Event, now: float, wall: float) -> None:
        """One change below the prefix."""
        name = event.key.removeprefix(self._prefix)
        with self._lock:
            if name == "failover":
                self._see_request(event.value, now)
            elif name == "leader":
                self._see_leader(event.value, now, wall, watched=True)
        if event.value is not None:
            self._see_status({name: event.value}, now)

    def polled(self, leader: str | None, now: float, wall: float) -> None:
        """The leader key as a scrape read it.

        The watch may be some milliseconds behind and knows the cause; only what it has not told by
        the next scrape, it has missed.
        """
        with self._lock:
            if not self._known or leader == self._leader_now:
                self._missed = None
            elif self._missed == (leader,):
                self._missed = None
                self._see_leader(leader, now, wall, watched=False)
            else:
                self._missed = (leader,)

    def counts(self, now: float) -> ChangeCounts:
        with self._lock:
            gone = now - self._gone_at if self._gone_at is not None else 0.0
            return ChangeCounts(dict(self._counts), dict(self._last), self._leaderless + gone)

    @property
    def _leader_now(self) -> str | None:
        return self._leader if self._gone_at is None else None

    def _see_leader(self, leader: str | None, now: float, wall: float, *, watched: bool) -> None:
        if leader is None:
            if self._known and self._gone_at is None:
                self._gone_at = now
            self._known = True
            return
        if self._gone_at is not None:
            self._leaderless += now - self._gone_at
            self._gone_at = None
        if self._known and self._leader not in (None, leader):
            cause = self._cause(now, wall, watched=watched)
            self._counts[cause] += 1
            self._last[cause] = wall
        self._leader, self._known = leader, True

    def _cause(self, now: float, wall: float, *, watched: bool) -> str:
        requested, self._requested_at = self._requested_at, None
        scheduled, self._scheduled_for = self._scheduled_for, 0.0
        if requested is not None and now - requested <= REQUEST_VALID_S:
            return "switchover"
        if scheduled and -CLOCK_S <= wall - scheduled <= REQUEST_VALID_S:
            return "switchover"
        return "failover" if watched else "unknown"

    def _see_request(self, value: str | None, now: float) -> None:
        # The new leader empties the key after it has taken over, which must not hide the request
        # before the change is seen; a request that came to nothing grows old instead.
        request = _object(value)
        if request.get("leader") and request.get("scheduled_at"):
            self._scheduled_for = unix_time(request["scheduled_at"])
        elif request.get("leader"):
            self._requested_at = now

    def _see_status(self, found: dict[str, str], now: float) -> None:
        optime = _object(found.get("status")).get("optime", found.get("optime/leader"))
        if isinstance(optime, int | str) and str(optime).isdecimal():
            self._history.add(now, int(optime))


def _object(text: str | None) -> dict[str, object]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
