"""The retry rule as a table, and the request budget."""

from __future__ import annotations

import pytest

from pgha.coolify.retry import RequestBudget, RetryPolicy, parse_retry_after
from tests.unit.coolify_client.fake import Clock


@pytest.mark.parametrize(
    ("method", "failure", "attempt", "elapsed_s", "repeated"),
    [
        ("GET", "not sent", 1, 0, True),
        ("POST", "not sent", 1, 0, True),
        ("PATCH", "not sent", 2, 1, True),
        ("GET", "not sent", 3, 2, False),
        ("GET", "unanswered", 1, 0, True),
        ("GET", "unanswered", 3, 0, False),
        ("GET", "unanswered", 1, 30, False),
        ("POST", "unanswered", 1, 0, False),
        ("PATCH", "unanswered", 1, 0, False),
        ("DELETE", "unanswered", 1, 0, False),
    ],
)
def test_who_is_asked_again(
    method: str, failure: str, attempt: int, elapsed_s: float, repeated: bool
) -> None:
    assert RetryPolicy().may_repeat(method, failure, attempt, elapsed_s) is repeated


def test_pauses_double() -> None:
    assert [RetryPolicy().pause_s(attempt) for attempt in (1, 2, 3)] == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("header", "waited_s", "wait_s"),
    [("53", 0, 53.0), ("53", 53, None), (None, 0, 5.0), ("soon", 0, 5.0), ("3600", 0, None)],
)
def test_throttle_waits_are_bounded(
    header: str | None, waited_s: float, wait_s: float | None
) -> None:
    assert RetryPolicy().throttle_s(header, waited_s) == wait_s


def test_a_negative_retry_after_does_not_go_back_in_time() -> None:
    assert parse_retry_after("-3") == 0.0


def test_the_budget_lets_a_burst_through_and_then_waits_for_the_window() -> None:
    clock = Clock()
    budget = RequestBudget(clock=clock, sleep=clock.sleep, limit=3, window_s=60)
    for _ in range(3):
        budget.take()
    assert clock.slept == []
    budget.take()
    assert clock.now == 1060.0
