"""Give back the memory that only the start needed."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MADV_DONTNEED = 4
MAPS = Path("/proc/self/maps")


def settle() -> None:
    """Called once, when everything has been imported and every source been asked.

    What is there now stays, so the collector need not look at it again and again. Free memory of
    the heap goes back, and so do the pages of program files: importing gRPC and OpenSSL runs
    through megabytes of code once. They stay in the page cache, and the few that are needed again
    are mapped again. Only Linux with glibc does all that; elsewhere nothing happens.
    """
    gc.collect()
    gc.freeze()
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for start, end in code(MAPS.read_text()):
            libc.madvise(start, end - start, MADV_DONTNEED)
        libc.malloc_trim(ctypes.c_size_t(0))


def code(maps: str) -> Iterator[tuple[int, int]]:
    """Address ranges of program files' code in the text of /proc/<pid>/maps.

    Executable and not writable: such a page is as in its file. Read-only data is left alone, since
    the dynamic linker has written into some of it.
    """
    for line in maps.splitlines():
        addresses, rights, _offset, _device, _inode, *name = line.split(maxsplit=5)
        if rights == "r-xp" and name and name[0].startswith("/"):
            start, end = (int(part, 16) for part in addresses.split("-"))
            yield start, end
