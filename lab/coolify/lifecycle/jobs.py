"""Coolify's queue: work that goes on after the answer was sent."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("lab.coolify.jobs")


class Jobs:
    """Running jobs, and which services have a start command running (`activity`)."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting: Counter[int] = Counter()

    def queue(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Start `work` now; a failure is logged and otherwise leaves no trace (contract 2.9)."""
        task = asyncio.create_task(self._guarded(what, work), name=what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextmanager
    def starting(self, service_id: int) -> Iterator[None]:
        self._starting[service_id] += 1
        try:
            yield
        finally:
            self._starting[service_id] -= 1

    def is_starting(self, service_id: int) -> bool:
        return self._starting[service_id] > 0

    async def drain(self) -> None:
        """Wait until nothing is queued or running."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _guarded(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            # The text of an exception may quote a script, and so a secret: name its type only.
            log.error("%s failed: %s", what, type(error).__name__)
