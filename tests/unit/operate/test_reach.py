"""Looks that may hang, and a request that goes on beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from pgha.errors import PghaError, RefusedError, UnreachableError
from pgha.operate.reach import Asked, overlapping


def until(seconds: float) -> float:
    return time.monotonic() + seconds


def test_a_look_that_hangs_does_not_keep_the_next_one_from_succeeding() -> None:
    release = threading.Event()
    looks: list[int] = []

    def look() -> bool:
        looks.append(1)
        if len(looks) == 1:
            release.wait(5)
        return True

    assert overlapping(look, interval_s=0.01, until=until(2)) is None
    assert not release.is_set()
    release.set()


def test_looks_that_say_no_or_fail_are_repeated_and_the_last_is_told() -> None:
    answers: list[Callable[[], bool]] = [lambda: False, lambda: True]
    assert overlapping(lambda: answers.pop(0)(), interval_s=0.001, until=until(2)) is None

    def fail() -> bool:
        raise UnreachableError("the router does not answer.")

    assert overlapping(fail, interval_s=0.001, until=until(0.02)) == "the router does not answer."


@pytest.mark.parametrize(
    ("error", "refusal"), [(RefusedError("no: 412"), "no: 412"), (UnreachableError("gone"), None)]
)
def test_only_a_refusal_counts_as_an_answer(error: PghaError, refusal: str | None) -> None:
    ended = threading.Event()

    def call() -> None:
        ended.set()
        raise error

    asked = Asked(call)
    assert ended.wait(2)
    deadline = until(2)
    while asked.refusal != refusal and time.monotonic() < deadline:
        time.sleep(0.001)
    assert asked.refusal == refusal
