"""Dumping one source: roles and settings, then every database, into a file or a directory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pgha.backup import marks, snapshot
from pgha.backup.access import Access, give_to_tools
from pgha.backup.gzipped import LEVEL, GzipWriter, blocks, sha256_of
from pgha.backup.manifest import DatabasePart
from pgha.backup.names import database_folder
from pgha.backup.tools import Tools, run, stream_out
from pgha.errors import DamagedStateError, FailedError, UnreachableError
from pgha.statefiles import flush

OUT = "/run/out"
PIPES = "/run/pipes"
GLOBALS = "globals.sql"
LOCK_WAIT_MS = 60_000
"""A table that somebody keeps locked exclusively ends the dump, instead of the dump the night."""

# pg_dumpall does likewise: these exist in every cluster, so only their content is restored.
ALWAYS_THERE = ("template1", "postgres")

COUNT_PATIENCE_S = 900.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Dumped:
    """What a dump consists of; see `pgha.backup.manifest.Manifest`."""

    databases: dict[str, DatabasePart]
    sha256: dict[str, str]
    size_bytes: int
    raw_bytes: int | None


@dataclass(frozen=True)
class Dump:
    """One dump of one source.

    Args:
        tools: with the folder of secrets mounted.
        cluster: what the source holds.
        header: what a file begins with.
        say: told how far it has come.
    """

    access: Access
    tools: Tools
    cluster: snapshot.Cluster
    header: bytes
    say: Say

    def to_file(self, path: Path) -> Dumped:
        """Write one gzip file of plain SQL, then read back what is on the disk.

        Raises:
            ToolError, UnreachableError: the source or a tool failed.
            DamagedStateError: the file is not what was written.
        """
        with GzipWriter(path) as file:
            file.write(self.header)
            self._globals(file.write)
            parts = {name: self._database(file, name) for name in self.cluster.databases}
            file.write(marks.footer())
            digest = file.finish()
            raw, size = file.raw_bytes, file.size_bytes
        _check_written(path, digest, size)
        return Dumped(parts, {path.name: digest}, size, raw)

    def to_directory(self, path: Path, jobs: int) -> Dumped:
        """Write pg_dump's directory format, a folder per database, and the roles beside them."""
        path.mkdir(mode=0o700)
        give_to_tools(path)
        roles = os.open(path / GLOBALS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(roles, "wb") as file:
            self._globals(file.write)
        tools = self.tools.with_mount(path, OUT)
        parts = {name: self._folder(tools, name, jobs) for name in self.cluster.databases}
        return _directory_dumped(path, parts)

    def _globals(self, write: Callable[[bytes], object]) -> None:
        self.say("roles and settings")
        tail = _Tail(write)
        self._stream(
            ["pg_dumpall", "--globals-only", "--dbname", self.access.for_tools("postgres")],
            tail.write,
        )
        tail.must_have(marks.CLUSTER_DUMP_ENDS, "the roles")

    def _database(self, file: GzipWriter, name: str) -> DatabasePart:
        with _counted(self.access, name) as counted:
            if name in ALWAYS_THERE:
                file.write(f"\n\\connect {name}\n\n".encode())
            begun = file.raw_bytes

            def write(data: bytes) -> None:
                file.write(data)
                self._tell(file, name, file.raw_bytes - begun)

            tail = _Tail(write)
            self._stream(self._pg_dump(name, counted.snapshot.id), tail.write)
            tail.must_have(marks.DUMP_ENDS, f"database {name}")
            return counted.part()

    def _folder(self, tools: Tools, name: str, jobs: int) -> DatabasePart:
        self.say(f"database {name}")
        folder = f"{OUT}/{database_folder(name)}"
        with _counted(self.access, name) as counted:
            command = self._pg_dump(name, counted.snapshot.id)
            parallel = ["--format", "directory", "--jobs", str(jobs), "--compress", str(LEVEL)]
            run(tools.command([*command, *parallel, "--file", folder]))
            return counted.part()

    def _stream(self, tool: list[str], sink: Callable[[bytes], None]) -> None:
        """Run a tool that writes one file, which is a pipe here."""
        with _pipe(self.access.folder) as pipe:
            tools = self.tools.with_mount(pipe.parent, PIPES)
            stream_out(
                tools.command([*tool, "--no-sync", "--file", f"{PIPES}/{pipe.name}"]), pipe, sink
            )

    def _pg_dump(self, name: str, snapshot_id: str) -> list[str]:
        create = [] if name in ALWAYS_THERE else ["--create"]
        return [
            "pg_dump", "--dbname", self.access.for_tools(name), "--snapshot", snapshot_id,
            f"--lock-wait-timeout={LOCK_WAIT_MS}", *create,
        ]  # fmt: skip

    def _tell(self, file: GzipWriter, name: str, read: int) -> None:
        about = amount(self.cluster.sizes.get(name, 0))
        written = amount(file.size_bytes)
        self.say(f"database {name}, {amount(read)} of about {about} read, {written} written")


@contextmanager
def _pipe(folder: Path) -> Iterator[Path]:
    """A named pipe in a folder of its own, which a container may write into."""
    place = folder / "pipes"
    place.mkdir(mode=0o700, exist_ok=True)
    pipe = place / "dump"
    os.mkfifo(pipe, 0o600)
    give_to_tools(place)
    give_to_tools(pipe)
    try:
        yield pipe
    finally:
        pipe.unlink()


class _Counted:
    """A snapshot whose rows are being counted while the dump runs."""

    def __init__(self, taken: snapshot.Snapshot, pool: ThreadPoolExecutor) -> None:
        self.snapshot = taken
        self._started = time.monotonic()
        self._rows = pool.submit(taken.count_rows)

    def part(self) -> DatabasePart:
        """What the manifest says of the database; waits for the last count."""
        # Counting reads less than the dump did, which has just ended.
        patience = COUNT_PATIENCE_S + 4 * (time.monotonic() - self._started)
        try:
            rows = self._rows.result(timeout=patience)
        except TimeoutError:
            raise UnreachableError(
                f"the rows were not counted within {patience:.0f} s; the source hangs"
            ) from None
        return DatabasePart(self.snapshot.size_bytes, self.snapshot.lsn, rows)


@contextmanager
def _counted(access: Access, database: str) -> Iterator[_Counted]:
    with snapshot.exported(access, database) as taken, ThreadPoolExecutor(1) as pool:
        try:
            yield _Counted(taken, pool)
        except BaseException:
            taken.abort()  # a count on a server that hangs would be waited for
            raise


class _Tail:
    """Passes data on and remembers how it ended."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._tail = b""

    def write(self, data: bytes) -> None:
        self._write(data)
        self._tail = (self._tail + data)[-marks.TAIL :]

    def must_have(self, mark: bytes, what: str) -> None:
        if mark not in self._tail:
            raise UnreachableError(
                f"the dump of {what} ended without PostgreSQL's mark of completion; run it again"
            )


def _check_written(path: Path, digest: str, size: int) -> None:
    """What lies on the disk is what was compressed."""
    found = path.stat().st_size
    if found != size or sha256_of(path) != digest:
        raise DamagedStateError(
            f"{path} differs on the disk from what was written ({found} of {size} bytes); check "
            "the disk of the Salt master, then run again."
        )


def _directory_dumped(path: Path, parts: dict[str, DatabasePart]) -> Dumped:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    missing = [name for name in parts if not (path / database_folder(name) / "toc.dat").is_file()]
    if missing:
        raise FailedError(f"pg_dump left no table of contents for {', '.join(missing)}; run again")
    for file in files:
        if file.suffix == ".gz":
            for _ in blocks(file):
                pass
        flush(file)
    digests = {str(file.relative_to(path)): sha256_of(file) for file in files}
    return Dumped(parts, digests, sum(file.stat().st_size for file in files), None)


def amount(count: float) -> str:
    """A number of bytes for people: ``2.7 kB``, ``3.4 MB``, ``1.2 GB``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"
