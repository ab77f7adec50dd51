"""Give back the memory that only the start needed, or a crowd."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MADV_DONTNEED = 4
M_ARENA_MAX = -8
SMAPS = Path("/proc/self/smaps")


def one_heap() -> None:
    """Called before the first thread: the heap does not grow with the number of threads (glibc)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def settle() -> None:
    """Called once, when everything has been imported and every source been asked.

    What is there now stays, so the collector need not look at it again and again. Free memory of
    the heap goes back, and so do the pages of program files: importing gRPC and OpenSSL runs
    through megabytes of code once. They stay in the page cache, and what is needed again is mapped
    again. Only Linux with glibc does all that; elsewhere nothing happens.
    """
    gc.collect()
    gc.freeze()
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for start, end in as_in_their_files(SMAPS.read_text()):
            libc.madvise(start, end - start, MADV_DONTNEED)
    give_back_heap()


def give_back_heap() -> None:
    """Free memory within the heap: malloc itself gives back only what is free at its end."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))


def as_in_their_files(smaps: str) -> Iterator[tuple[int, int]]:
    """Address ranges of files that cannot be written and have no page of their own (proc(5)).

    Such pages can be read from the file again. Where the dynamic linker has written before the
    range was made read-only, there are pages of its own ("Anonymous"), and they would be lost.
    """
    found: tuple[int, int] | None = None
    for line in smaps.splitlines():
        first, *rest = line.split(maxsplit=5)
        if not first.endswith(":"):
            start, end = (int(part, 16) for part in first.split("-"))
            is_file = rest[0] in ("r-xp", "r--p") and rest[-1].startswith("/")
            found = (start, end) if is_file else None
        elif found and first == "Anonymous:" and rest[0] == "0":
            yield found
