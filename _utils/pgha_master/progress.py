"""Say what a long operation is doing and how long it took: a spinner on a terminal, else lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Steps of one operation, written to standard error so that results stay machine-readable."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show ``what`` while the block runs, then the mark of its end and the seconds it took."""
        started = time.monotonic()
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
        with self._console.status(what):
            yield

    def _end(self, mark: str, what: str, started: float) -> None:
        seconds = time.monotonic() - started
        self._console.print(f"{mark} {what} [dim]{seconds:.1f} s[/]", soft_wrap=True)
        sys.stderr.flush()
