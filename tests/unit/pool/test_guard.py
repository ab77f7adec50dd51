"""The process that lets clients go when whoever held them has died."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pgha.errors import FailedError, UnreachableError
from pgha.pool import guard
from pgha.pool.guard import Bounds, watch
from pgha.wait import Pending, poll
from tests.unit.pool.fake_console import fake_pool

BOUNDS = Bounds(longest_pause_s=30, watch_s=120, interval_s=1)


class World:
    """A clock that only sleeping moves, and a pool paused between two times."""

    def __init__(self, paused: Callable[[float], bool]) -> None:
        self.now = 1000.0
        self.paused = paused
        self.resumed_at: float | None = None

    def look(self) -> bool:
        return self.resumed_at is None and self.paused(self.now - 1000)

    def resume(self) -> None:
        self.resumed_at = self.now - 1000

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def run(self) -> str:
        return watch(self.look, self.resume, BOUNDS, clock=lambda: self.now, sleep=self.sleep)


def test_a_pause_that_its_owner_ends_is_left_alone() -> None:
    world = World(lambda at: 5 <= at < 20)
    assert (world.run(), world.resumed_at) == ("over", None)


def test_a_pause_that_nobody_ends_is_ended() -> None:
    world = World(lambda at: at >= 5)
    assert (world.run(), world.resumed_at) == ("resumed", 35)


def test_a_guard_that_sees_no_pause_ends_by_itself() -> None:
    world = World(lambda at: False)
    assert (world.run(), world.now) == ("idle", 1120)


def test_a_pool_that_is_restarted_is_asked_again_and_one_that_is_gone_is_left() -> None:
    def restarted(at: float) -> bool:
        if 10 <= at < 13:
            raise UnreachableError("no pool")
        return 5 <= at < 10

    assert World(restarted).run() == "over"

    def gone(at: float) -> bool:
        if at >= 10:
            raise UnreachableError("no pool")
        return at >= 5

    assert World(gone).run() == "gone"


def test_the_process_outlives_its_starter_hides_the_password_and_resumes() -> None:
    with fake_pool() as pool:
        pid = guard.start(pool.settings(), Bounds(0.1, 5, 0.02))
        try:
            assert os.getsid(pid) == pid != os.getsid(0)
            assert pool.settings().password not in Path(f"/proc/{pid}/cmdline").read_text()
            assert pool.settings().password not in Path(f"/proc/{pid}/environ").read_text()
            pool.pause()

            def let_go() -> bool | Pending:
                return Pending("paused") if pool.paused else True

            poll(let_go, deadline_s=10, interval_s=0.01, what="the guard")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_a_guard_that_cannot_watch_says_why() -> None:
    with fake_pool() as pool:
        settings = pool.settings()
    with pytest.raises(FailedError, match=r"guard.*app-server-1.lan did not start: the pool on"):
        guard.start(settings)
