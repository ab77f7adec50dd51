from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pgha.errors import BusyError
from pgha.lock import RunLock
from tests.unit.library.together import in_a_process_of_its_own, together

SINCE = datetime(2026, 9, 1, 12, 30, tzinfo=timezone.utc)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deploy.lock"


def test_the_second_run_reads_who_holds_it(path: Path) -> None:
    with RunLock(path, "deploy of coolify_postgres", now=lambda: SINCE):
        second = RunLock(path, "deploy again")
        with pytest.raises(BusyError) as caught:
            second.acquire()

    assert str(caught.value) == (
        f"Another run (deploy of coolify_postgres, pid {os.getpid()}, since "
        f"2026-09-01T12:30:00+00:00) holds {path}; wait for it to end, or stop that process if it "
        "hangs."
    )


def test_it_is_free_again_afterwards(path: Path) -> None:
    with RunLock(path, "first"):
        pass
    lock = RunLock(path, "second")
    lock.acquire()
    lock.release()
    lock.release()
    with RunLock(path, "third"):
        pass


def test_it_is_free_after_an_error(path: Path) -> None:
    with pytest.raises(ValueError), RunLock(path, "first"):
        raise ValueError
    with RunLock(path, "second"):
        pass


def test_a_killed_run_leaves_it_free(path: Path) -> None:
    def killed() -> None:
        RunLock(path, "killed").acquire()
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_process_of_its_own(killed) == -signal.SIGKILL
    with RunLock(path, "next"):
        assert "next" in path.read_text()


def test_of_many_at_once_one_gets_it(path: Path) -> None:
    all_have_tried = multiprocessing.get_context("fork").Barrier(5)

    def run() -> str:
        lock = RunLock(path, "deploy")
        try:
            lock.acquire()
        finally:
            all_have_tried.wait(30)
        return "got it"

    results = together(5, run)

    assert results.count("got it") == 1
    assert sum(isinstance(each, BusyError) for each in results) == 4


def test_nobody_else_can_read_it(path: Path) -> None:
    with RunLock(path, "deploy"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_unreadable_text_still_makes_a_sentence(path: Path) -> None:
    lock = RunLock(path, "deploy")
    lock.acquire()
    path.write_bytes(b"\xff[1]")

    with pytest.raises(BusyError, match="Another run has just taken"):
        RunLock(path, "second").acquire()
