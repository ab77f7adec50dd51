"""How old the data of a member is, without trusting what it says about time.

``now() - pg_last_xact_replay_timestamp()`` grows while nothing is written, and the common remedy
(0 when everything received is replayed) says 0 while the connection is cut. So: a ring of (time,
WAL position of the leader) seen by this exporter; a member's lag is the age of the first position
in it that the member has not replayed.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque

KEPT = 2048
STEP_S = 1.0
"""Positions closer together than this are not kept apart."""


class WalHistory:
    """WAL positions of the leader, in bytes, by the monotonic time at which they were seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, int]] = deque(maxlen=KEPT)
        self._timeline = 0

    def add(self, now: float, lsn: int, timeline: int | None = None) -> None:
        """The leader was at this position; older or equal positions tell nothing new.

        Args:
            timeline: on which the leader was, where it said so itself.
        """
        with self._lock:
            if timeline is not None and not self._is_of_now(lsn, timeline):
                return
            if self._seen:
                last_at, last = self._seen[-1]
                if lsn < last - 2**40:  # a restored cluster starts again
                    self._seen.clear()
                elif lsn <= last or now < last_at:
                    return
                elif len(self._seen) > 1 and now - self._seen[-2][0] < STEP_S:
                    # Within a step the later position takes the place of the earlier, whose time
                    # stays: the lag then reads a little too long, never too short.
                    self._seen[-1] = (last_at, lsn)
                    return
            self._seen.append((now, lsn))

    def forget(self) -> None:
        """Another cluster is here now: its positions begin anew, and lower ones may follow."""
        with self._lock:
            self._seen.clear()
            self._timeline = 0

    def _is_of_now(self, lsn: int, timeline: int) -> bool:
        """False for a leader of before that has not noticed yet.

        What an old leader wrote beyond the point where the new one began is lost: nobody will ever
        replay it.
        """
        if timeline > self._timeline > 0:
            while self._seen and self._seen[-1][1] > lsn:
                self._seen.pop()
        self._timeline = max(timeline, self._timeline)
        return timeline == self._timeline

    def seconds_behind(self, replayed: int, at: float, now: float | None = None) -> float | None:
        """The lag of a member whose replay position was seen at ``at``.

        Args:
            now: given when the member does not answer any more: its lag then goes on growing.

        Returns:
            Seconds; None while no position of the leader is known.
        """
        with self._lock:
            if not self._seen:
                return None
            positions = [lsn for _, lsn in self._seen]
            index = bisect_right(positions, replayed)
            if index == len(positions):
                return 0.0
            first_missing = self._seen[index][0]
        # What the leader wrote after the member was looked at says nothing about the member.
        return max((at if now is None else now) - first_missing, 0.0)

    @property
    def newest(self) -> int | None:
        with self._lock:
            return self._seen[-1][1] if self._seen else None
