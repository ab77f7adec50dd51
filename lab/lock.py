"""One command at a time for each lab."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lab.errors import LabError
from lab.instance import Instance


@contextmanager
def lab_lock(instance: Instance, what: str) -> Iterator[None]:
    """Hold the lab while the block runs. Raises LabError naming who holds it."""
    instance.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = instance.directory / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another command"
            raise LabError(
                f"The lab {instance.name} is busy with {holder}: wait for it, then try again."
            ) from None
        file.truncate(0)
        file.write(f"`{what}` (pid {os.getpid()})")
        file.flush()
        yield
