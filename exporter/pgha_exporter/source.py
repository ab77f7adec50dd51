"""One source of facts: a worker thread that asks it, with a deadline that holds whatever it does.

A question that is not answered is never repeated beside itself (single flight): Patroni's five
request threads and PostgreSQL's connections would be used up by somebody who asks again and again.
Past the deadline the question counts as failed, its connection is cut (``abort``), and whatever
answer still arrives is thrown away. A thread that hangs on for ``STUCK_S`` is left behind and
replaced by a new one with a new connection, a few times at most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from pgha_exporter.errors import SourceError
from pgha_exporter.names import ERROR_REASONS

FRESH_S = 10.0
"""How old an answer of Patroni and etcd may be when collections follow each other more quickly:
Patroni renews what it says every loop_wait, 10 s by default."""
STUCK_S = 30.0
MAX_LEFT_BEHIND = 3
BACKOFF_S = (0.0, 0.0, 2.0, 4.0, 8.0, 15.0)
"""Pause after so many failures in a row; two failures may be chance."""

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
log = logging.getLogger("pgha_exporter.source")


class Collector(Protocol[T_co]):
    """What a source asks with. ``collect`` may block; ``abort`` must not, and makes it end."""

    def collect(self) -> T_co: ...

    def abort(self) -> None: ...


@runtime_checkable
class Preparing(Protocol):
    """A collector with something to do when its answer is out, so that the next need not wait.

    It may fail: then the next question does it, and tells.
    """

    def prepare(self) -> None: ...


@dataclass(frozen=True)
class Status:
    """A source as its metrics describe it; times in seconds, ``last_success`` as Unix time."""

    up: bool
    last_success: float
    duration: float
    stuck: float
    errors: dict[str, int]
    failure: str | None


@dataclass
class _State(Generic[T]):
    value: T | None = None
    answered_at: float | None = None
    asked_at: float | None = None
    expired: bool = False
    up: bool = False
    last_success: float = 0.0
    duration: float = 0.0
    failures: int = 0
    failed_at: float = 0.0
    failure: str | None = None
    errors: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ERROR_REASONS, 0))


class Source(Generic[T]):
    """See the module.

    Args:
        name: as in the label ``source``, or of a peer for the log only.
        make: makes the collector; called again when a stuck one is replaced.
        deadline_s: a question's time.
        interval_s: 0 for a source that is asked at a scrape, else how often it is asked besides.
        pause_s: for one with an interval, how long its last answer (None for a failure) is left to
            stand; at most the interval, which is the default.
        backs_off: after failures wait before asking again, as `BACKOFF_S` says.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Collector[T]],
        deadline_s: float,
        *,
        interval_s: float = 0.0,
        pause_s: Callable[[T | None], float] | None = None,
        backs_off: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.deadline_s = deadline_s
        self.interval_s = interval_s
        self._pause_s = pause_s or (lambda _: interval_s)
        self._make, self._backs_off = make, backs_off
        self._clock, self._wall = clock, wall
        self._changed = threading.Condition()
        self._state: _State[T] = _State()
        self._generation = 0
        self._collector = make()
        self._start_worker()

    def ask(self, unless_younger_s: float = 0.0) -> None:
        """Ask the source, unless a question is under way or it is being left alone.

        Args:
            unless_younger_s: an answer that is younger is good enough; a failure never is.
        """
        with self._changed:
            state = self._state
            if state.asked_at is not None:
                if state.expired:
                    state.errors["busy"] += 1
                    self._replace_when_stuck()
                return
            if self._is_left_alone() or self._is_younger(unless_younger_s):
                return
            state.asked_at, state.expired = self._clock(), False
            self._changed.notify_all()

    def ask_ahead(self, needed_at: float) -> None:
        """Ask a source that answers, if its answer would be too old at that time (clock).

        Nobody waits for it.
        """
        with self._changed:
            if not self._state.up:
                return
        self.ask(unless_younger_s=FRESH_S - (needed_at - self._clock()))

    @property
    def is_asked(self) -> bool:
        """Whether a question is under way."""
        with self._changed:
            return self._state.asked_at is not None

    def wait(self, until: float) -> T | None:
        """This question's answer, or None when there is none by ``until`` (clock) or its deadline.

        Nobody can be kept waiting: past the deadline the question is given up.
        """
        with self._changed:
            asked = self._state.asked_at
            if asked is not None and not self._state.expired:
                end = min(until, asked + self.deadline_s)
                self._changed.wait_for(self._is_settled, max(end - self._clock(), 0))
            gave_up = self._give_up_if_late(until)
            value = self._state.value if self._state.up else None
        if gave_up:
            gave_up.abort()
        return value

    def tick(self) -> None:
        """Called now and then for a source with an interval: asks when due, gives up when late."""
        with self._changed:
            gave_up = self._give_up_if_late(self._clock())
            asked, answered = self._state.asked_at, self._state.answered_at
            pause_s = self._pause_s(self._state.value)
            due = answered is None or self._clock() - answered >= pause_s
        if gave_up:
            gave_up.abort()
        elif due or asked is not None:
            self.ask()

    def recent(self) -> T | None:
        """The last answer of a source with an interval, None once it failed or is too old."""
        with self._changed:
            state = self._state
            if not state.up or state.answered_at is None:
                return None
            limit = 2 * self.interval_s + self.deadline_s
            return state.value if self._clock() - state.answered_at <= limit else None

    def stop(self) -> None:
        """Let the worker end; the source is not asked any more."""
        with self._changed:
            self._generation = MAX_LEFT_BEHIND + 1
            self._changed.notify_all()

    def status(self) -> Status:
        with self._changed:
            state = self._state
            stuck = self._clock() - state.asked_at if state.asked_at and state.expired else 0.0
            return Status(
                state.up,
                state.last_success,
                state.duration,
                stuck,
                dict(state.errors),
                state.failure,
            )

    def _is_settled(self) -> bool:
        return self._state.asked_at is None or self._state.expired

    def _is_younger(self, seconds: float) -> bool:
        state = self._state
        if not state.up or state.answered_at is None:
            return False
        return self._clock() - state.answered_at < seconds

    def _is_left_alone(self) -> bool:
        if not self._backs_off or not self._state.failures:
            return False
        pause = BACKOFF_S[min(self._state.failures, len(BACKOFF_S) - 1)]
        return self._clock() - self._state.failed_at < pause

    def _give_up_if_late(self, until: float) -> Collector[T] | None:
        state = self._state
        if state.asked_at is None or state.expired:
            return None
        if self._clock() < min(until, state.asked_at + self.deadline_s):
            return None
        if self._clock() < state.asked_at + self.deadline_s and self.interval_s:
            return None
        state.expired = True
        self._failed("timeout", f"no answer within {self.deadline_s:g} s")
        return self._collector

    def _replace_when_stuck(self) -> None:
        asked = self._state.asked_at
        if asked is None or self._clock() - asked < STUCK_S:
            return
        if self._generation >= MAX_LEFT_BEHIND:
            return
        self._generation += 1
        self._state.asked_at, self._state.expired = None, False
        self._collector = self._make()
        self._start_worker()

    def _start_worker(self) -> None:
        threading.Thread(
            target=self._work,
            args=(self._generation, self._collector),
            name=f"source-{self.name}",
            daemon=True,
        ).start()

    def _work(self, generation: int, collector: Collector[T]) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._state.asked_at is not None or self._generation != generation
                )
                if self._generation != generation:
                    return
            value, error = _outcome(collector)
            with self._changed:
                if self._generation != generation:
                    return
                self._settle(value, error)
                self._changed.notify_all()
            if error is None and isinstance(collector, Preparing):
                _prepare(self.name, collector)

    def _settle(self, value: T | None, error: SourceError | None) -> None:
        state = self._state
        assert state.asked_at is not None
        asked, state.asked_at = state.asked_at, None
        late, state.expired = state.expired, False
        if late:
            return
        if error:
            state.duration = self._clock() - asked
            self._failed(error.reason, str(error))
            return
        if state.failures:
            log.info("source answers again", extra={"fields": {"source": self.name}})
        state.value, state.up, state.failures, state.failure = value, True, 0, None
        state.duration = self._clock() - asked
        state.answered_at, state.last_success = self._clock(), self._wall()

    def _failed(self, reason: str, text: str) -> None:
        state = self._state
        if not state.failures:
            fields = {"source": self.name, "reason": reason, "error": text}
            log.warning("source fails", extra={"fields": fields})
        state.errors[reason] += 1
        state.failures += 1
        state.failed_at = state.answered_at = self._clock()
        state.up, state.failure, state.value = False, text, None


def _prepare(name: str, collector: Preparing) -> None:
    try:
        collector.prepare()
    except Exception as err:
        fields = {"source": name, "error": str(err)}
        log.debug("left to the next question", extra={"fields": fields})


def _outcome(collector: Collector[T]) -> tuple[T | None, SourceError | None]:
    try:
        return collector.collect(), None
    except SourceError as err:
        return None, err
    except TimeoutError as err:
        return None, SourceError("timeout", str(err))
    except Exception as err:
        # Nothing that a source says may end its worker.
        return None, SourceError("protocol", f"{type(err).__name__}: {err}")
