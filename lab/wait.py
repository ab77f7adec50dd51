"""Waiting as a named operation with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import LabError

Found = TypeVar("Found")


def poll(
    check: Callable[[], Found | None],
    *,
    deadline_s: float,
    otherwise: str,
    interval_s: float = 0.25,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Found:
    """Call ``check`` until it returns something true, and return that.

    Raises LabError after ``deadline_s``: the sentence ``otherwise``, ``{seconds}`` filled in.
    """
    end = clock() + deadline_s
    while True:
        found = check()
        if found:
            return found
        if clock() >= end:
            raise LabError(otherwise.format(seconds=f"{deadline_s:.0f}"))
        sleep(interval_s)
