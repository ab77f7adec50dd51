from __future__ import annotations

from collections.abc import Iterator

import pytest

from pgha.errors import FailedError, TimedOutError, UnreachableError
from pgha.wait import Pending, poll


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def wait(time: Time, answers: Iterator[object], deadline_s: float = 10) -> object:
    def check() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return poll(
        check,
        deadline_s=deadline_s,
        interval_s=3,
        what="a leader",
        clock=time.clock,
        sleep=time.sleep,
    )


def test_what_is_there_at_once_needs_no_waiting(time: Time) -> None:
    assert wait(time, iter(["node-1"])) == "node-1"
    assert time.slept == []


def test_none_and_false_are_answers(time: Time) -> None:
    assert wait(time, iter([None])) is None
    assert wait(time, iter([False])) is False


def test_asks_again_until_it_is_there(time: Time) -> None:
    answers = iter([Pending("no leader"), UnreachableError("refused"), "node-2"])

    assert wait(time, answers) == "node-2"
    assert time.slept == [3, 3]


def test_at_the_deadline_it_looks_once_more_and_tells_what_it_saw(time: Time) -> None:
    seen = iter(Pending(f"look {number}.") for number in range(1, 99))

    with pytest.raises(TimedOutError) as caught:
        wait(time, seen)

    assert str(caught.value) == "Gave up waiting for a leader after 10 s; last seen: look 5."
    assert time.slept == [3, 3, 3, 1]


def test_a_service_that_never_answers_is_named_in_the_end(time: Time) -> None:
    with pytest.raises(TimedOutError, match="last seen: :8008 refused"):
        wait(time, iter([UnreachableError(":8008 refused.")] * 9))


def test_a_failure_ends_the_wait_at_once(time: Time) -> None:
    with pytest.raises(FailedError, match="start failed"):
        wait(time, iter([Pending("starting"), FailedError("start failed")]))
    assert time.slept == [3]
