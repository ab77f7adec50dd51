"""What is being done and how long it took: live on a terminal, one line a step in a pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text


class Step:
    """One thing that is being done; ``note`` says how far it is."""

    def __init__(self, what: str, started: float) -> None:
        self.what = what
        self.started = started
        self.note = ""
        self.spinner = Spinner("dots")

    def say(self, note: str) -> None:
        """How far it is, in a few words."""
        self.note = note

    def line(self, now: float) -> str:
        """``what (note) … 3.2 s``."""
        note = f" ({self.note})" if self.note else ""
        return f"{self.what}{note} … {now - self.started:.1f} s"


class Progress:
    """Shows steps, also several at once. Use as a context manager around all of them."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._running: list[Step] = []
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._render,
                transient=True,
                refresh_per_second=8,
            )
            self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    @contextmanager
    def step(self, what: str, *, long: bool = False) -> Iterator[Step]:
        """Show ``what`` while the block runs, then its duration.

        ``long`` announces it in a pipe too, where otherwise nothing would show for minutes.
        """
        step = Step(what, self._clock())
        with self._lock:
            self._running.append(step)
        if long and not self._live:
            self._print(f"{what} …")
        try:
            yield step
        except BaseException:
            self._finish(step, "failed: ")
            raise
        self._finish(step, "")

    def _finish(self, step: Step, prefix: str) -> None:
        with self._lock:
            self._running.remove(step)
        self._print(prefix + step.line(self._clock()))

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _render(self) -> Group:
        now = self._clock()
        with self._lock:
            running = list(self._running)
        for step in running:
            step.spinner.update(text=Text(step.line(now)))
        return Group(*(step.spinner for step in running))
