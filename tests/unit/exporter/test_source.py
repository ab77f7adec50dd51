"""A source holds nobody up, asks once at a time, and never shows what is old."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pgha_exporter import source as module
from pgha_exporter.errors import SourceError
from pgha_exporter.source import Source
from tests.unit.exporter.support import until


class Questions:
    """A collector that the test answers: each question waits for ``answer``."""

    def __init__(self) -> None:
        self.asked = self.aborted = 0
        self.outcome: object = "fine"
        self.go = threading.Event()
        self.go.set()

    def collect(self) -> object:
        self.asked += 1
        self.go.wait(10)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def abort(self) -> None:
        self.aborted += 1


@pytest.fixture
def questions() -> Iterator[Questions]:
    found = Questions()
    yield found
    found.go.set()


def ask(source: Source[object], seconds: float = 1.0) -> object:
    source.ask()
    return source.wait(time.monotonic() + seconds)


def test_an_answer_comes_with_its_time(questions: Questions) -> None:
    source: Source[object] = Source("x", lambda: questions, 1.0)
    assert ask(source) == "fine"
    status = source.status()
    assert status.up
    assert status.last_success == pytest.approx(time.time(), abs=2)
    assert set(status.errors.values()) == {0}


def test_a_young_answer_may_be_good_enough_and_a_failure_never_is(questions: Questions) -> None:
    source: Source[object] = Source("x", lambda: questions, 1.0)
    ask(source)
    source.ask(unless_younger_s=60)
    assert source.wait(time.monotonic() + 1) == "fine"
    assert questions.asked == 1
    source.ask(unless_younger_s=0)
    source.wait(time.monotonic() + 1)
    assert questions.asked == 2
    questions.outcome = SourceError("refused", "no")
    for _ in range(2):
        source.ask()
        source.wait(time.monotonic() + 1)
    assert questions.asked == 4
    source.ask(unless_younger_s=60)
    source.wait(time.monotonic() + 1)
    assert questions.asked == 5


def test_an_answer_that_grows_old_is_renewed_while_nobody_waits(questions: Questions) -> None:
    now = [0.0]
    source: Source[object] = Source("x", lambda: questions, 1.0, clock=lambda: now[0])
    source.ask_ahead(needed_at=20)  # never asked: the next collection's business
    assert questions.asked == 0
    source.ask()
    assert until(lambda: source.status().up)
    for now[0], asked in ((7.9, 1), (8.0, 2)):
        source.ask_ahead(needed_at=now[0] + 2)
        assert until(lambda n=asked: questions.asked == n)
    source.ask(unless_younger_s=10)
    assert source.wait(8.2) == "fine"
    assert questions.asked == 2
    questions.outcome = SourceError("refused", "nobody listens")
    source.ask()
    assert until(lambda: not source.status().up)
    source.ask_ahead(needed_at=20)  # left to whoever shows that it fails
    assert questions.asked == 3


def test_a_hung_source_costs_its_deadline_once_and_then_nothing(questions: Questions) -> None:
    source: Source[object] = Source("x", lambda: questions, 0.05)
    questions.go.clear()
    started = time.monotonic()
    assert ask(source) is None
    assert 0.04 < time.monotonic() - started < 0.5
    started = time.monotonic()
    assert ask(source) is None
    assert time.monotonic() - started < 0.04
    status = source.status()
    assert (questions.asked, questions.aborted) == (1, 1)
    assert (status.up, status.errors["timeout"], status.errors["busy"]) == (False, 1, 1)
    assert status.stuck >= 0.05


def test_an_answer_that_comes_too_late_is_thrown_away(questions: Questions) -> None:
    source: Source[object] = Source("x", lambda: questions, 0.02)
    questions.go.clear()
    assert ask(source) is None
    questions.go.set()
    assert until(lambda: source.status().stuck == 0)
    assert not source.status().up
    assert ask(source) == "fine"


def test_a_failure_has_its_reason_and_hides_the_last_answer(questions: Questions) -> None:
    source: Source[object] = Source("x", lambda: questions, 1.0, interval_s=60)
    assert ask(source) == "fine"
    assert source.recent() == "fine"
    questions.outcome = SourceError("auth", "no")
    assert ask(source) is None
    assert source.recent() is None
    assert source.status().errors["auth"] == 1
    assert source.status().failure == "no"


def test_an_unforeseen_error_does_not_end_the_worker(questions: Questions) -> None:
    source: Source[object] = Source("x", lambda: questions, 1.0)
    questions.outcome = ZeroDivisionError("oh")
    assert ask(source) is None
    questions.outcome = "fine"
    assert ask(source) == "fine"
    assert source.status().errors["protocol"] == 1


def test_a_scrapers_shorter_time_counts(questions: Questions) -> None:
    source: Source[object] = Source("x", lambda: questions, 5.0)
    questions.go.clear()
    started = time.monotonic()
    assert ask(source, seconds=0.05) is None
    assert time.monotonic() - started < 0.5


def test_many_at_once_ask_once(questions: Questions) -> None:
    source: Source[object] = Source("x", lambda: questions, 1.0)
    questions.go.clear()
    for _ in range(10):
        source.ask()
    questions.go.set()
    assert source.wait(time.monotonic() + 1) == "fine"
    assert questions.asked == 1


def test_a_source_that_keeps_failing_is_left_alone_for_a_while(questions: Questions) -> None:
    now = [100.0]
    source: Source[object] = Source(
        "x", lambda: questions, 1.0, backs_off=True, clock=lambda: now[0]
    )
    questions.outcome = SourceError("timeout", "no")
    for _ in range(3):
        ask_with(source, now)
    assert questions.asked == 2
    now[0] += 2.1
    ask_with(source, now)
    assert questions.asked == 3


def ask_with(source: Source[object], now: list[float]) -> None:
    source.ask()
    source.wait(now[0] + 0.5)


def test_one_that_hangs_on_is_replaced_a_few_times(
    questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STUCK_S", 0.02)
    made: list[Questions] = []

    def make() -> Questions:
        made.append(Questions())
        made[-1].go.clear()
        return made[-1]

    source: Source[object] = Source("x", make, 0.01)
    try:
        assert until(lambda: (ask(source), len(made) > module.MAX_LEFT_BEHIND)[1])
        made[-1].go.set()
        assert until(lambda: ask(source) == "fine")
        assert len(made) == module.MAX_LEFT_BEHIND + 1
    finally:
        for one in made:
            one.go.set()


def test_a_source_with_an_interval_is_asked_when_due(questions: Questions) -> None:
    now = [100.0]
    source: Source[object] = Source(
        "x", lambda: questions, 1.0, interval_s=15, clock=lambda: now[0]
    )
    source.tick()
    assert until(lambda: source.recent() == "fine")
    source.tick()
    now[0] += 15.1
    source.tick()
    assert until(lambda: questions.asked == 2)
    assert until(lambda: source.status().stuck == 0)
    now[0] += 100
    assert source.recent() is None


def test_an_answer_that_is_not_fine_is_asked_for_again_sooner(questions: Questions) -> None:
    now, fine = [100.0], [False]
    source: Source[object] = Source(
        "x", lambda: questions, 1.0, interval_s=15, clock=lambda: now[0],
        pause_s=lambda value: 15 if value and fine[0] else 4,
    )  # fmt: skip
    for asked in (1, 2, 3):
        source.tick()
        assert until(lambda n=asked: questions.asked == n)
        assert until(lambda: not source.is_asked)
        now[0] += 4
    fine[0] = True
    source.tick()
    time.sleep(0.05)
    assert questions.asked == 3


def test_a_stopped_source_ends_its_thread() -> None:
    source: Source[object] = Source("to-be-stopped", Questions, 1.0)
    source.stop()
    assert until(lambda: "source-to-be-stopped" not in {t.name for t in threading.enumerate()})
