"""Say what a long operation is doing and how long it took: a spinner on a terminal, else lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

SAID_EVERY_S = 30.0
SHOWN_EVERY_S = 0.2


class Progress:
    """Steps of one operation, written to standard error so that results stay machine-readable."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._what = ""
        self._said_at = 0.0

    def show_progress(self, text: str) -> None:
        """Show how far the running step has come; without a terminal a line every half minute."""
        if self._status is not None and time.monotonic() - self._said_at >= SHOWN_EVERY_S:
            self._said_at = time.monotonic()
            self._status.update(f"{self._what}: {text}")
        elif self._status is None and time.monotonic() - self._said_at >= SAID_EVERY_S:
            self._said_at = time.monotonic()
            self._console.print(f"  {text}")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show ``what`` while the block runs, then the mark of its end and the seconds it took."""
        started = time.monotonic()
        self._what, self._said_at = what, started
        try:
            with self._running(what):
                yield
        except BaseException:
            self._end("[red]✗[/]", what, started)
            raise
        self._end("[green]✓[/]", what, started)

    def say(self, text: str) -> None:
        """Show a line of its own, also while a step runs."""
        self._console.print(f"  {text}", markup=False, soft_wrap=True)
        sys.stderr.flush()

    @contextmanager
    def _running(self, what: str) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(what) as self._status:
            try:
                yield
            finally:
                self._status = None

    def _end(self, mark: str, what: str, started: float) -> None:
        seconds = time.monotonic() - started
        self._console.print(f"{mark} {what} [dim]{seconds:.1f} s[/]", soft_wrap=True)
        sys.stderr.flush()
