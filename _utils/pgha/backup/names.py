"""What backups are called and what lies beside them.

    postgres_backup_<UTC time>.sql.gz                one file, restorable with psql
    postgres_backup_<UTC time>                       a directory, restorable with pg_restore
    <either>.manifest.json                           what is in it; see pgha.backup.manifest
    <either>.verified.json                           when it was last restored and compared

Whatever begins with a dot is unfinished: a run that is still going on, or one that was killed.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

FORMATS = ("sql", "directory")
SQL_SUFFIX = ".sql.gz"
MANIFEST_SUFFIX = ".manifest.json"
VERIFIED_SUFFIX = ".verified.json"
UNFINISHED = "."

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"postgres_backup_[A-Za-z0-9_-]+(\.sql\.gz)?")


def new_name(now: datetime, form: str) -> str:
    """The name of a backup that begins now."""
    stamp = now.astimezone(timezone.utc).strftime(_STAMP)
    return f"postgres_backup_{stamp}{SQL_SUFFIX if form == 'sql' else ''}"


def is_backup(path: Path) -> bool:
    """True for what this product finished and named; a foreign file is restored by its path."""
    if not _NAME.fullmatch(path.name):
        return False
    return path.is_file() if path.name.endswith(SQL_SUFFIX) else path.is_dir()


def manifest_of(backup: Path) -> Path:
    """Where a backup's manifest is."""
    return backup.with_name(backup.name + MANIFEST_SUFFIX)


def verified_of(backup: Path) -> Path:
    """Where it is written that a backup was restored and compared."""
    return backup.with_name(backup.name + VERIFIED_SUFFIX)


def database_folder(database: str) -> str:
    """A database's folder in a directory backup; its name may hold any character but NUL."""
    return "database-" + quote(database, safe="")
