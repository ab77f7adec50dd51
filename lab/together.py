"""Doing the same on several servers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lab.errors import LabError

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_each(items: Iterable[Item], work: Callable[[Item], Result]) -> dict[Item, Result]:
    """``work`` on every item at once; the results by item.

    Waits for all. Raises LabError with every sentence when any failed.
    """
    listed = list(items)
    with ThreadPoolExecutor(max_workers=max(len(listed), 1)) as pool:
        futures = {item: pool.submit(work, item) for item in listed}
    return _results(futures)


def all_of(*works: Callable[[], object]) -> None:
    """Run every piece of work at once; the same rule for failures as ``on_each``."""
    on_each(works, lambda work: work())


def _results(futures: dict[Item, Future[Result]]) -> dict[Item, Result]:
    failures = [future.exception() for future in futures.values()]
    for failure in failures:
        if failure is not None and not isinstance(failure, LabError):
            raise failure
    sentences = list(dict.fromkeys(str(failure) for failure in failures if failure is not None))
    if sentences:
        raise LabError(" ".join(sentences))
    return {item: future.result() for item, future in futures.items()}
