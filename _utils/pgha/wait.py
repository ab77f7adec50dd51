"""Bounded waiting: a named operation with a deadline and two ways to end badly.

``FailedError`` (raised by the check itself) means that waiting longer is useless; ``TimedOutError``
means that the deadline passed, and says what was last seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pgha.errors import TimedOutError, UnreachableError

T = TypeVar("T")


@dataclass(frozen=True)
class Pending:
    """Not yet: ``seen`` is what was observed instead, a short text without secrets."""

    seen: str


def poll(
    check: Callable[[], T | Pending],
    *,
    deadline_s: float,
    interval_s: float,
    what: str,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call ``check`` until it answers something other than `Pending`.

    Args:
        check: answers the result, or `Pending`. `UnreachableError` counts as pending, because what
            is starting does not answer yet; every other error ends the wait at once.
        deadline_s: seconds from now; one last check is made when they have passed.
        interval_s: seconds between the end of one check and the next.
        what: what is waited for, as it reads after "waiting for".

    Raises:
        TimedOutError: with what was last seen.
        FailedError: raised by ``check``.
    """
    start = clock()
    while True:
        answer = _checked(check)
        if not isinstance(answer, Pending):
            return answer
        left = start + deadline_s - clock()
        if left <= 0:
            raise TimedOutError(
                f"Gave up waiting for {what} after {clock() - start:.0f} s; last seen: "
                f"{answer.seen.rstrip('.')}."
            )
        sleep(min(interval_s, left))


def _checked(check: Callable[[], T | Pending]) -> T | Pending:
    try:
        return check()
    except UnreachableError as error:
        return Pending(str(error))
