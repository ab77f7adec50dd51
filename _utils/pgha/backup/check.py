"""Whether a backup can be restored at all, asked before anything is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pgha.backup import manifest as manifests
from pgha.backup import marks
from pgha.backup.dump import Say, amount
from pgha.backup.gzipped import blocks, sha256_of
from pgha.backup.manifest import Manifest
from pgha.errors import DamagedStateError, RefusedError


@dataclass(frozen=True)
class Checked:
    """A whole backup. ``needed_bytes`` is about what its databases will take on a disk."""

    path: Path
    manifest: Manifest | None
    major: int | None
    needed_bytes: int

    @property
    def is_directory(self) -> bool:
        return self.path.is_dir()


def check_backup(path: Path, version: int, say: Say) -> Checked:
    """Read the whole backup once and compare it with its manifest, or with what a dump looks like.

    Args:
        path: a backup of ours, or a ``.sql.gz`` that pg_dumpall made elsewhere.
        version: PostgreSQL's major version that it shall be restored with.

    Raises:
        DamagedStateError: unreadable, truncated, corrupted, or not what the manifest says.
        RefusedError: from a newer PostgreSQL, or no dump of a cluster at all.
    """
    try:
        manifest = manifests.read(path)
        checked = _described(path, manifest, say) if manifest else _foreign(path, say)
    except OSError as error:
        raise DamagedStateError(
            f"The backup {path} cannot be read: {error.strerror}; check the file and its owner."
        ) from error
    if checked.major is not None and checked.major > version:
        raise RefusedError(
            f"The backup {path.name} is from PostgreSQL {checked.major} and this cluster runs "
            f"{version}; a newer dump does not restore into an older server. Set "
            f"postgresql_version to {checked.major} or newer, or use another backup."
        )
    return checked


def _described(path: Path, manifest: Manifest, say: Say) -> Checked:
    for name, digest in manifest.sha256.items():
        file = path / name if path.is_dir() else path
        say(f"reading {file.name}")
        if not file.is_file():
            raise DamagedStateError(
                f"The backup {path} lacks {name}, which its manifest names; use another one."
            )
        if sha256_of(file) != digest:
            raise DamagedStateError(
                f"The backup {path} is corrupted: {file.name} ({file.stat().st_size} bytes) is not "
                "what its manifest says (SHA-256); use another one."
            )
    return Checked(path, manifest, manifest.major, manifest.database_bytes)


def _foreign(path: Path, say: Say) -> Checked:
    if path.is_dir():
        raise RefusedError(
            f"{path} is a directory without a manifest; only directories that postgres.backup made "
            "can be restored here. Use pg_restore by hand for others."
        )
    head, tail, raw = b"", b"", 0
    for block in blocks(path):
        head = head if len(head) >= marks.HEAD else head + block
        tail = (tail + block)[-marks.TAIL :]
        raw += len(block)
        say(f"read {amount(raw)} of {path.name}")
    _require_whole(path, head, tail)
    # Indexes are not in a dump and take about as much again.
    return Checked(path, None, marks.dumped_from(head), 2 * raw)


def _require_whole(path: Path, head: bytes, tail: bytes) -> None:
    if not marks.looks_like_a_dump(head):
        raise RefusedError(
            f"{path} is not a dump in plain SQL; a backup is what postgres.backup or "
            "`pg_dumpall | gzip` wrote."
        )
    if not marks.ends_well(head, tail):
        raise DamagedStateError(
            f"The backup {path} is truncated: it does not end with the mark of a complete dump; "
            "use another one."
        )
    if marks.is_one_database(head):
        raise RefusedError(
            f"{path} is a dump of one database (pg_dump), without roles; deploy first, then "
            "restore it by hand: zcat FILE | psql -d DATABASE."
        )
