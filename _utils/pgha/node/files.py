"""Bring files and directories of one server to what the renderers declare.

A file is written beside its target, flushed to disk and renamed over it, so that a killed run
leaves either the old or the new text and never half of one.
"""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgha.errors import FailedError
from pgha.render.files import ManagedDirectory, ManagedFile

REDACTED = "(content not shown)"


@dataclass(frozen=True)
class FileChange:
    """What differs between a declared file and the disk.

    ``old`` and ``new`` are what an operator may see: secrets are never part of them.
    """

    path: str
    component: str
    old: str | None
    new: str


def file_changes(files: Iterable[ManagedFile]) -> list[tuple[ManagedFile, FileChange]]:
    """Return the files whose content, mode or owner differs from the disk, in the given order."""
    found = ((file, _difference(file)) for file in files)
    return [(file, change) for file, change in found if change is not None]


def write_file(file: ManagedFile) -> None:
    """Write one file atomically with its mode and owner; raises ``OSError``."""
    target = Path(file.path)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_data(file))
            stream.flush()
            os.fsync(stream.fileno())
        os.chown(temporary, file.uid, file.gid)
        os.chmod(temporary, file.mode)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def put(file: ManagedFile) -> str:
    """`write_file`, its path; raises FailedError with a sentence."""
    try:
        write_file(file)
    except OSError as error:
        raise FailedError(f"{file.path} cannot be written: {error.strerror}") from error
    return file.path


def directory_changes(
    directories: Sequence[ManagedDirectory],
) -> list[tuple[ManagedDirectory, str | None, str]]:
    """Return ``(directory, old, new)`` for each directory that is missing or has another owner."""
    changes = []
    for directory in directories:
        old = _describe(Path(directory.path))
        new = _ownership(directory.mode, directory.uid, directory.gid)
        if old != new:
            changes.append((directory, old, new))
    return changes


def make_directory(directory: ManagedDirectory) -> None:
    """Create a directory or repair its mode and owner; never touches what is inside."""
    path = Path(directory.path)
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, directory.uid, directory.gid)
    path.chmod(directory.mode)


def write_text_like(path: str, text: str) -> None:
    """Replace a file such as ``/etc/hosts`` in place, keeping its inode, mode and owner.

    Containers (and Docker itself) bind-mount ``/etc/hosts``: a rename over it would fail there.
    """
    with open(path, "r+", encoding="utf-8") as stream:
        stream.write(text)
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


def _data(file: ManagedFile) -> bytes:
    return file.content.encode()


def _difference(file: ManagedFile) -> FileChange | None:
    path = Path(file.path)
    new = _ownership(file.mode, file.uid, file.gid)
    old = _describe(path)
    if old is None:
        return FileChange(file.path, file.component, None, new)
    current = path.read_bytes()
    if current != _data(file):
        return FileChange(file.path, file.component, old, _content_difference(file, current))
    return FileChange(file.path, file.component, old, new) if old != new else None


def _content_difference(file: ManagedFile, current: bytes) -> str:
    if file.secret:
        return REDACTED
    lines = difflib.unified_diff(
        current.decode(errors="replace").splitlines(), file.content.splitlines(), lineterm="", n=0
    )
    return "\n".join(list(lines)[2:])


def _describe(path: Path) -> str | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _ownership(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def _ownership(mode: int, uid: int, gid: int) -> str:
    return f"mode {mode:04o}, owner {uid}:{gid}"
