"""Run one function in several processes at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

# Fork: the children start at once and need nothing to be pickled.
_FORK = multiprocessing.get_context("fork")


def together(count: int, function: Callable[[], Any]) -> list[Any]:
    """The results of ``count`` processes that all waited for each other before they began."""
    barrier = _FORK.Barrier(count)
    results = _FORK.SimpleQueue()

    def run() -> None:
        barrier.wait(30)
        try:
            results.put(function())
        except Exception as error:
            results.put(error)

    processes = [_FORK.Process(target=run) for _ in range(count)]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join(30)
    return found


def in_a_process_of_its_own(function: Callable[[], Any]) -> int | None:
    """Exit code of a process that runs the function; negative is the signal that ended it."""
    process = _FORK.Process(target=function)
    process.start()
    process.join(30)
    return process.exitcode
