"""A gzip file written by all cores, and the checks of one.

The stream is cut into blocks that are compressed side by side and written one after the other as
gzip members, which together are one gzip file (RFC 1952, 2.2); ``gunzip``, ``zcat`` and ``pigz -d``
read it. zlib gives up Python's lock while it works, so threads are enough.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pgha.errors import DamagedStateError

LEVEL = 6
"""gzip's own default."""
BLOCK = 1024**2
"""Bytes before compression. A new member costs 18 bytes and a fresh dictionary, about 0.3 %."""
_GZIP = 31
"""zlib's window bits for a gzip header and trailer."""


class GzipWriter:
    """Compress what is written into a new file of mode 0600, without ever holding much of it."""

    def __init__(self, path: Path, level: int = LEVEL, workers: int | None = None) -> None:
        workers = workers or os.cpu_count() or 1
        self._level = level
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._pool = ThreadPoolExecutor(max_workers=workers)
        self._most_waiting = 2 * workers
        self._waiting: deque[Future[bytes]] = deque()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._hash = hashlib.sha256()
        self.raw_bytes = 0
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Take bytes of any number; blocks when the cores cannot keep up."""
        self.raw_bytes += len(data)
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= BLOCK:
            self._submit()

    def finish(self) -> str:
        """Write what is left and flush it to the disk; the SHA-256 of the file."""
        if self._pending or not self.raw_bytes:
            self._submit()
        while self._waiting:
            self._write_oldest()
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._hash.hexdigest()

    def _submit(self) -> None:
        block, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        self._waiting.append(self._pool.submit(_member, block, self._level))
        while len(self._waiting) > self._most_waiting:
            self._write_oldest()

    def _write_oldest(self) -> None:
        member = self._waiting.popleft().result()
        self._file.write(member)
        self._hash.update(member)
        self.size_bytes += len(member)

    def __enter__(self) -> GzipWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._file.close()


def _member(block: bytes, level: int) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    return compressor.compress(block) + compressor.flush()


def blocks(path: Path, size: int = 256 * 1024) -> Iterator[bytes]:
    """What a gzip file holds, every member's checksum compared on the way.

    Raises:
        DamagedStateError: it is not gzip, ends too early, or a checksum differs.
    """
    decompressor = zlib.decompressobj(_GZIP)
    begun = False
    with path.open("rb") as file:
        while chunk := file.read(size):
            while chunk:
                yield _inflated(decompressor, chunk, path)
                begun, chunk = True, decompressor.unused_data
                if decompressor.eof:
                    decompressor, begun = zlib.decompressobj(_GZIP), False
    if begun or path.stat().st_size == 0:
        raise DamagedStateError(f"The backup {path} is truncated: it ends in the middle.")


def _inflated(decompressor: zlib._Decompress, chunk: bytes, path: Path) -> bytes:
    try:
        return decompressor.decompress(chunk)
    except zlib.error as error:
        raise DamagedStateError(
            f"The backup {path} is corrupted or is not a gzip file ({error}); use another one."
        ) from error


def sha256_of(path: Path) -> str:
    """The digest of a file as it is on the disk."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(BLOCK):
            digest.update(chunk)
    return digest.hexdigest()
