"""The manifest: what a backup must contain, written in the same run and the same snapshots.

JSON beside the backup; sizes in bytes, times in UTC, durations in seconds. Row counts are those of
``count(*)`` in the dump's own snapshot, for every table whose rows a dump carries.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pgha import statefiles
from pgha.backup.names import manifest_of
from pgha.errors import DamagedStateError

VERSION = 1


@dataclass(frozen=True)
class DatabasePart:
    """One database: its size on the source, where its snapshot was, rows per table."""

    size_bytes: int
    lsn: str
    rows: dict[str, int]


@dataclass(frozen=True)
class Manifest:
    """Everything one needs to judge a backup without reading it.

    ``sha256`` maps each file, relative to the backup, to its digest; a single file is its own name.
    ``raw_bytes`` is the size before compression, None for a directory.
    """

    cluster: str
    name: str
    format: str
    started_at: str
    finished_at: str
    duration_s: float
    postgresql_version: str
    source: dict[str, Any]
    databases: dict[str, DatabasePart]
    sha256: dict[str, str]
    size_bytes: int
    raw_bytes: int | None
    compression: str
    tools: dict[str, str]
    notes: list[str] = field(default_factory=list)
    version: int = VERSION

    @property
    def major(self) -> int:
        """PostgreSQL's major version."""
        return int(self.postgresql_version.split(".")[0])

    @property
    def finished(self) -> datetime:
        return datetime.fromisoformat(self.finished_at)

    @property
    def database_bytes(self) -> int:
        """What the databases took on the source's disk, indexes included."""
        return sum(part.size_bytes for part in self.databases.values())

    @property
    def row_count(self) -> int:
        return sum(sum(part.rows.values()) for part in self.databases.values())


def write(backup: Path, manifest: Manifest) -> None:
    """Write it beside the backup, whole or not at all."""
    text = json.dumps(dataclasses.asdict(manifest), indent=2, ensure_ascii=True)
    statefiles.replace(manifest_of(backup), text + "\n")


def read(backup: Path) -> Manifest | None:
    """The backup's manifest; None when it has none, as a file from elsewhere.

    Raises:
        DamagedStateError: it cannot be used.
    """
    path = manifest_of(backup)
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        parts = {name: DatabasePart(**part) for name, part in content.pop("databases").items()}
        manifest = Manifest(databases=parts, **content)
        _ = (manifest.major, manifest.finished)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedStateError(
            f"The manifest {path} cannot be read ({type(error).__name__}); without it nobody can "
            "tell whether the backup is complete. Use another backup, or move the manifest away "
            "to restore the file as one from elsewhere."
        ) from error
    return manifest
