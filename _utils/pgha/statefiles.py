"""Files of the state directory: folders 0700, files 0600, whole or not there at all.

A file is written beside its place, flushed to disk and moved in one step, so a run that is killed
leaves either the old file or the new one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pgha.errors import DamagedStateError, NotFoundError

_TEMPORARY = ".tmp-"


def ensure_directory(path: Path) -> None:
    """Create the folder and its parents where missing; what is created, and the folder, is 0700."""
    if not path.parent.exists():
        ensure_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)


def create_once(path: Path, content: str) -> bool:
    """Write the file unless it exists; of two runs at once exactly one writes.

    Returns:
        True when this call wrote it.
    """
    if path.exists():
        return False
    with _written_beside(path, content) as temporary:
        try:
            os.link(temporary, path)  # unlike a rename, fails when another run was faster
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary)
    flush(path.parent)
    return True


def ensure_file(path: Path, make: Callable[[], str]) -> bool:
    """`create_once` that makes the content only when it is needed; also closes open permissions."""
    if path.exists():
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return False
    ensure_directory(path.parent)
    return create_once(path, make())


def replace(path: Path, content: str, mode: int = 0o600) -> None:
    """Write the file, over the old one if there is one."""
    with _written_beside(path, content, mode) as temporary:
        os.replace(temporary, path)
    flush(path.parent)


def read_text(path: Path, meant: str) -> str:
    """The file's content.

    Args:
        meant: what the file is, as it reads after "The".

    Raises:
        NotFoundError: it does not exist.
        DamagedStateError: it cannot be read or is empty.
    """
    try:
        content = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise NotFoundError(
            f"The {meant} does not exist yet ({path}); the deploy creates it on the Salt master."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedStateError(
            f"The {meant} in {path} cannot be read ({type(error).__name__}); check the file and "
            "its owner, or restore it from your backup of state/."
        ) from None
    if not content.strip():
        raise DamagedStateError(
            f"The {meant} in {path} is empty; restore it from your backup of state/."
        )
    return content


@contextlib.contextmanager
def _written_beside(path: Path, content: str, mode: int = 0o600) -> Iterator[str]:
    descriptor, temporary = tempfile.mkstemp(prefix=f"{_TEMPORARY}{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def flush(path: Path) -> None:
    """Have the system write a file, or a directory's entries, to the disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
