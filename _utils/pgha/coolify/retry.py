"""When a request to Coolify is sent again, and how fast requests may follow each other.

The rule, complete:

1. 429: the throttle answers before any controller runs, so nothing was done and every method may be
   sent again, after `Retry-After` (or 5 s without one). All such waits of one request together stay
   below `longest_throttle_s`; Coolify's window is 60 s (contract 1.3).
2. No connection (refused, name unknown, connect time-out): nothing was sent, every method may be
   sent again.
3. Connection lost while waiting for the answer, no answer in time, 500, 502, 503 or 504: only GET
   is sent again. A POST, PATCH or DELETE may have been carried out: its caller looks first.
4. Everything else is an answer and is never asked for again.

Cases 2 and 3 share `attempts` and wait 0.5 s, 1 s, ... between them; none is started once
`patience_s` have passed since the first, so a Coolify that hangs costs one time-out, not three.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

REPEATABLE_STATUSES = frozenset({500, 502, 503, 504})
_DEFAULT_THROTTLE_S = 5.0
_SHORTEST_THROTTLE_S = 2.0


@dataclass(frozen=True)
class RetryPolicy:
    """The numbers of the rule above, in seconds unless named otherwise."""

    attempts: int = 3
    first_pause_s: float = 0.5
    patience_s: float = 25.0
    longest_throttle_s: float = 75.0

    def pause_s(self, attempt: int) -> float:
        """Pause after the failed attempt number `attempt` (1, 2, ...)."""
        return self.first_pause_s * float(2 ** (attempt - 1))

    def may_repeat(self, method: str, failure: str, attempt: int, elapsed_s: float) -> bool:
        """Whether cases 2 and 3 allow another attempt.

        Args:
            failure: "not sent" (case 2) or "unanswered" (case 3, 5xx included).
        """
        if attempt >= self.attempts or elapsed_s > self.patience_s:
            return False
        return failure == "not sent" or method == "GET"

    def throttle_s(self, retry_after: str | None, already_waited_s: float) -> float | None:
        """Seconds to wait after a 429, None when that would be too long."""
        wanted = max(parse_retry_after(retry_after), _SHORTEST_THROTTLE_S)
        return wanted if already_waited_s + wanted <= self.longest_throttle_s else None


def parse_retry_after(value: str | None) -> float:
    """Seconds of a `Retry-After` header; Coolify sends whole seconds, never a date."""
    try:
        return max(0.0, float(value)) if value is not None else _DEFAULT_THROTTLE_S
    except ValueError:
        return _DEFAULT_THROTTLE_S


class RequestBudget:
    """Keeps requests below a number per sliding window; safe to share between threads.

    Coolify allows 200 per minute and user, all tokens together (contract 1.3); the default leaves
    some to the people who use the same account.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        limit: int = 180,
        window_s: float = 60.0,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._limit = limit
        self._window_s = window_s
        self._sent: deque[float] = deque()
        self.taken = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait until a request may be sent, and count it."""
        while (wait_s := self._reserve()) > 0:
            self._sleep(wait_s)

    def _reserve(self) -> float:
        with self._lock:
            now = self._clock()
            while self._sent and now - self._sent[0] >= self._window_s:
                self._sent.popleft()
            if len(self._sent) >= self._limit:
                return self._sent[0] + self._window_s - now
            self._sent.append(now)
            self.taken += 1
            return 0.0
