"""The folder of one cluster's backups: what is there, how old it is, what may go."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pgha import statefiles
from pgha.backup import manifest as manifests
from pgha.backup.manifest import Manifest
from pgha.backup.names import (
    MANIFEST_SUFFIX,
    UNFINISHED,
    VERIFIED_SUFFIX,
    is_backup,
    manifest_of,
    verified_of,
)
from pgha.errors import DamagedStateError, NotFoundError


@dataclass(frozen=True)
class Backup:
    """A finished backup.

    ``damage`` is a sentence when its manifest cannot be used, ``verify_problem`` when the last
    verification failed.
    """

    path: Path
    manifest: Manifest | None
    verified_at: datetime | None
    damage: str | None = None
    verify_problem: str | None = None

    @property
    def is_good(self) -> bool:
        """True when it was made here and is described; only a verification proves more."""
        return self.manifest is not None


class BackupStore:
    """Backups of one cluster, newest first.

    Args:
        root: ``state/postgresql/backups`` (``state/clusters/<cluster>/postgresql/backups``).
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def ensure(self) -> None:
        """Make the folder, 0700."""
        statefiles.ensure_directory(self.root)

    def all(self) -> list[Backup]:
        """Every finished backup, newest first; the names carry the time."""
        if not self.root.is_dir():
            return []
        paths = sorted((path for path in self.root.iterdir() if is_backup(path)), reverse=True)
        return [_load(path) for path in paths]

    def newest_good(self) -> Backup | None:
        return next((backup for backup in self.all() if backup.is_good), None)

    def find(self, name: str | None) -> Path:
        """The path of a backup by name or path; the newest good one without a name.

        Raises:
            NotFoundError: it is not there; says which are.
        """
        if not name:
            return self._newest()
        path = Path(name) if "/" in name else self.root / name
        if path.exists() and not path.name.endswith((MANIFEST_SUFFIX, VERIFIED_SUFFIX)):
            return path
        known = ", ".join(backup.path.name for backup in self.all()[:5]) or "none"
        raise NotFoundError(
            f"There is no backup {name} on the Salt master ({path}); backups there, newest first: "
            f"{known}. A file from elsewhere is named by its whole path."
        )

    def _newest(self) -> Path:
        newest = self.newest_good()
        if newest is None:
            raise NotFoundError(
                f"There is no backup in {self.root}; make one with "
                "`salt-run state.orchestrate postgres.backup`."
            )
        return newest.path

    def remove_unfinished(self) -> list[str]:
        """Remove what killed runs left; only for the holder of the backup lock."""
        if not self.root.is_dir():
            return []
        stale = [path for path in self.root.iterdir() if path.name.startswith(UNFINISHED)]
        stale += [path for path in self.root.iterdir() if _is_orphan(path)]
        for path in stale:
            remove(path)
        return sorted(path.name for path in stale)

    def remove_expired(self, now: datetime, days: int) -> list[str]:
        """Apply the retention; returns the names removed."""
        expired = to_remove(self.all(), now, days)
        for backup in expired:
            # The backup first: what is left after a kill is no backup without its manifest.
            for path in (backup.path, verified_of(backup.path), manifest_of(backup.path)):
                remove(path)
        return [backup.path.name for backup in expired]

    def record_verified(self, backup: Path, record: dict[str, Any]) -> None:
        """Write beside a backup that it was restored and compared."""
        text = json.dumps(record, indent=2, ensure_ascii=True)
        statefiles.replace(verified_of(backup), text + "\n")


def to_remove(backups: Sequence[Backup], now: datetime, days: int) -> list[Backup]:
    """What the retention lets go: older than ``days``, and neither of the two that must stay.

    The newest good backup stays whatever its age, and the newest verified one. A backup whose
    manifest is missing or damaged is somebody's to look at, and is never removed here.
    """
    good = [backup for backup in backups if backup.manifest is not None]
    keep = {backup.path for backup in good[:1]}
    keep |= {backup.path for backup in [b for b in good if b.verified_at][:1]}
    oldest = now - timedelta(days=days)
    return [
        backup
        for backup in good
        if backup.path not in keep and backup.manifest and backup.manifest.finished < oldest
    ]


def summary(backups: Iterable[Backup], now: datetime) -> dict[str, Any]:
    """``{"last", "verified"}`` for the status, each None or ``{name, at, age_s}``."""
    good = [backup for backup in backups if backup.manifest is not None]
    last = next(((b.path.name, b.manifest.finished) for b in good if b.manifest), None)
    verified = max(
        ((backup.verified_at, backup.path.name) for backup in good if backup.verified_at),
        default=None,
    )
    return {
        "last": _aged(*last, now) if last else None,
        "verified": _aged(verified[1], verified[0], now) if verified else None,
    }


def described(backup: Backup, now: datetime) -> dict[str, Any]:
    """One line of the list, JSON-ready; sizes in bytes, ages and durations in seconds."""
    made = backup.manifest
    row: dict[str, Any] = {"name": backup.path.name, "problem": backup.damage}
    if made is None:
        row["problem"] = backup.damage or "it has no manifest"
        return row
    return {
        **row,
        "at": made.finished_at,
        "age_s": max(0, int((now - made.finished).total_seconds())),
        "format": made.format,
        "size_bytes": made.size_bytes,
        "rows": made.row_count,
        "postgresql_version": made.postgresql_version,
        "source": made.source,
        "duration_s": made.duration_s,
        "verified_at": backup.verified_at and backup.verified_at.isoformat(timespec="seconds"),
        "verify_problem": backup.verify_problem,
    }


def remove(path: Path) -> None:
    """Remove a file or a whole folder; one that is gone already is as good."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _aged(name: str, at: datetime, now: datetime) -> dict[str, Any]:
    age = max(0, int((now - at).total_seconds()))
    return {"name": name, "at": at.isoformat(timespec="seconds"), "age_s": age}


def _load(path: Path) -> Backup:
    try:
        return Backup(path, manifests.read(path), **_verification(path))
    except DamagedStateError as error:
        return Backup(path, None, None, str(error))


def _verification(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(verified_of(path).read_text(encoding="ascii"))
        at = datetime.fromisoformat(record["verified_at"])
        if record["ok"]:
            return {"verified_at": at}
        return {"verified_at": None, "verify_problem": str(record["problem"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"verified_at": None}  # an unreadable proof proves nothing


def _is_orphan(path: Path) -> bool:
    for suffix in (MANIFEST_SUFFIX, VERIFIED_SUFFIX):
        if path.name.endswith(suffix):
            return not path.with_name(path.name.removesuffix(suffix)).exists()
    return False
