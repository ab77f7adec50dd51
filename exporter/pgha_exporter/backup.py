"""Ages of backups, from a small file that whoever makes them writes.

Format: ``{"<kind>": {"last_success": <Unix time>, "last_verified": <Unix time>}}`` with the kinds
full, diff and incr; a kind or a time that is not there has never been. A file that is not there
means that there has never been a backup, which is an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgha_exporter.errors import SourceError
from pgha_exporter.names import BACKUP_KINDS

MAX_SIZE = 65536


@dataclass(frozen=True)
class Backup:
    """Unix times, 0 for never."""

    last_success: float = 0.0
    last_verified: float = 0.0


class BackupCollector:
    """The source ``backup``."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def collect(self) -> dict[str, Backup]:
        try:
            text = self._path.read_text()[:MAX_SIZE]
        except FileNotFoundError:
            text = "{}"
        except (OSError, UnicodeDecodeError) as err:
            raise SourceError("protocol", f"{self._path}: {type(err).__name__}") from err
        return parse(text)

    def abort(self) -> None:
        pass


def parse(text: str) -> dict[str, Backup]:
    """The content by kind; ``full`` is always there. Raises SourceError when it is not JSON."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise SourceError("protocol", "the backup status is not JSON") from err
    if not isinstance(raw, Mapping):
        raise SourceError("protocol", "the backup status is not an object")
    return {
        kind: Backup(_time(raw.get(kind), "last_success"), _time(raw.get(kind), "last_verified"))
        for kind in BACKUP_KINDS
        if kind == "full" or kind in raw
    }


def _time(entry: Any, name: str) -> float:
    value = entry.get(name) if isinstance(entry, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value < 2**40 else 0.0
