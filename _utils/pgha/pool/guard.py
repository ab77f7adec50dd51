"""Lets clients go when whoever paused their pool has died (docs/adr/0007).

A switchover pauses every pool and resumes it seconds later. If its process is killed in between,
nobody would resume, and clients would wait until PgBouncer's ``query_wait_timeout`` ends them. So
before anything is paused each server starts this small process of its own, detached from whatever
started it: it looks at its server's PgBouncer every second, resumes it when it has been paused
for longer than any switchover may last, and ends by itself.

Run as ``python -m pgha.pool.guard`` with the settings as JSON on standard input, so that no list of
processes shows the password; it answers with one line when it is watching.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pgha.errors import FailedError, PghaError
from pgha.pg.settings import ConnectSettings
from pgha.pool.console import Console
from pgha.transport import within

LONGEST_PAUSE_S = 30.0
"""Longer than a switchover holds clients by itself (`pgha.operate.handover.HOLD_LIMIT_S`)."""
WATCH_S = 120.0
"""A pause that begins later than this belongs to another run, which starts its own guard."""
INTERVAL_S = 1.0
START_DEADLINE_S = 10.0
READY = "watching"


@dataclass(frozen=True)
class Bounds:
    """Seconds: the longest pause, how long to watch for one, between two looks."""

    longest_pause_s: float = LONGEST_PAUSE_S
    watch_s: float = WATCH_S
    interval_s: float = INTERVAL_S


def start(settings: ConnectSettings, bounds: Bounds | None = None) -> int:
    """Start the process and return its id once it is watching.

    Raises:
        FailedError: it did not come up; says why.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "pgha.pool.guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd="/",
        # Of its own session: ending the job, or the service that ran it, does not end the guard.
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdin
    assert process.stdout
    with process.stdin as stdin:
        stdin.write(
            json.dumps({"settings": asdict(settings), "bounds": asdict(bounds or Bounds())})
        )
    with process.stdout as stdout:
        try:
            said = within(START_DEADLINE_S, stdout.readline).strip()
        except TimeoutError:
            said = "no answer"
    if said != READY:
        process.kill()
        raise FailedError(
            f"the guard of the pool on {settings.where} did not start: "
            f"{said or 'it ended without a word'}."
        )
    return process.pid


def watch(
    look: Callable[[], bool],
    resume: Callable[[], object],
    bounds: Bounds,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Watch one pool; returns why it ended: ``resumed`` by the guard, ``over`` (by its owner),
    ``idle`` (never paused) or ``gone`` (it answers no more).

    Args:
        look: whether the pool is paused; raises PghaError when nobody answers, as when the pool is
            being restarted, which ends a pause as well.
    """
    started, paused_since = clock(), None
    while True:
        paused = _paused(look)
        if paused and paused_since is None:
            paused_since = clock()
        if paused_since is not None:
            if paused is False:
                return "over"
            if paused and clock() - paused_since >= bounds.longest_pause_s and _told(resume):
                return "resumed"
        if clock() - started >= bounds.watch_s + (bounds.longest_pause_s if paused_since else 0):
            return "gone" if paused_since else "idle"
        sleep(bounds.interval_s)


def _paused(look: Callable[[], bool]) -> bool | None:
    try:
        return look()
    except PghaError:
        return None


def _told(resume: Callable[[], object]) -> bool:
    try:
        resume()
    except PghaError:
        return False
    return True


def main() -> None:
    """The process: read the settings, connect, say so, watch."""
    given = json.load(sys.stdin)
    settings, bounds = ConnectSettings(**given["settings"]), Bounds(**given["bounds"])
    try:
        look(settings)
    except PghaError as err:
        print(err, flush=True)
        return
    print(READY, flush=True)
    # Nothing is left on the pipes of whoever started it.
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process
    watch(lambda: look(settings), lambda: resume(settings), bounds)


def look(settings: ConnectSettings) -> bool:
    """Whether the pool is paused; a connection of its own each time, so a restart is survived."""
    with Console(settings) as console:
        return console.is_paused()


def resume(settings: ConnectSettings) -> bool:
    """Let the clients of one pool go; False when they were not held."""
    with Console(settings) as console:
        return console.resume()


if __name__ == "__main__":
    main()
