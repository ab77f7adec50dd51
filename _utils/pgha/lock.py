"""One run at a time: a lock on a file that the kernel releases when its holder dies.

The lock is flock(2), so a killed run leaves nothing to clean up; the text in the file only tells
the next one who holds it. Processes forked by the holder share the lock until they end.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pgha.errors import BusyError


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(timezone.utc)


class RunLock:
    """A lock that refuses to wait: a second deploy at once is a mistake, not a queue.

    Use it as a context manager, or with `acquire` and `release`; the end of the process releases
    it too.

    Args:
        path: the lock file; its folder must exist. It stays behind, empty, and is harmless.
        what: what this run does, as it reads in "Another run (...)".

    Raises:
        BusyError: on acquiring, naming the holder's pid, since when it runs and what it does.
    """

    def __init__(
        self, path: str | Path, what: str, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._path = Path(path)
        self._what = what
        self._now = now
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise `BusyError` at once."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sentence = _busy_sentence(self._path, os.read(descriptor, 4096))
            os.close(descriptor)
            raise BusyError(sentence) from None
        self._descriptor = descriptor
        self._write_holder()

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _write_holder(self) -> None:
        assert self._descriptor is not None
        since = self._now().isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "since": since, "what": self._what}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(holder).encode(), 0)


@contextmanager
def file_lock(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Wait for a lock that others hold for moments only, such as while a certificate is written."""
    descriptor = os.open(path, os.O_RDONLY | (0 if shared else os.O_CREAT), 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _busy_sentence(path: Path, content: bytes) -> str:
    holder = _holder(content)
    if not holder:
        return f"Another run has just taken {path}; wait for it to end and try again."
    return (
        f"Another run ({holder.get('what')}, pid {holder.get('pid')}, since {holder.get('since')}) "
        f"holds {path}; wait for it to end, or stop that process if it hangs."
    )


def _holder(content: bytes) -> dict[str, Any]:
    try:
        holder = json.loads(content)
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}
