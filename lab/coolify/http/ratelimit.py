"""Fixed one-minute windows per user, as Laravel's limiter counts (contract 1.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..clock import Clock

WINDOW_S = 60.0


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    headers: dict[str, str]


class RateLimiter:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def hit(self, key: str, limit: int) -> Verdict:
        """Count one request of `key`."""
        now = self._clock.now()
        started, count = self._windows.get(key, (now, 0))
        if now - started >= WINDOW_S:
            started, count = now, 0
        if count >= limit:
            return Verdict(False, self._refusal(started, limit, now))
        self._windows[key] = (started, count + 1)
        left = limit - count - 1
        return Verdict(True, {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)})

    def _refusal(self, started: float, limit: int, now: float) -> dict[str, str]:
        reset = started + WINDOW_S
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": "0",
            "Retry-After": str(max(1, math.ceil(reset - now))),
            "X-RateLimit-Reset": str(int(reset)),
        }
