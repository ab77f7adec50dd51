"""How long Coolify is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How long to look for the result of something Coolify does later, in seconds."""

    settle_s: float = 15.0
    deletion_s: float = 120.0
    validation_s: float = 20.0
    interval_s: float = 2.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
