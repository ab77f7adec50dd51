"""How many members the cluster should have: as configured, else the most ever seen.

The most ever seen is kept in a file, so that a member that is lost while the exporter restarts is
still missed.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class ExpectedMembers:
    """Args: ``configured`` (0 to learn it) and the directory to remember it in (empty for none)."""

    def __init__(self, configured: int, directory: str = "") -> None:
        self._configured = configured
        self._path = Path(directory) / "members" if directory else None
        self._most = self._remembered()

    def seen(self, members: int) -> int:
        """The number to expect, now that so many members are registered."""
        if self._configured:
            return self._configured
        if members > self._most:
            self._most = members
            self._remember()
        return self._most

    def _remembered(self) -> int:
        with suppress(OSError, ValueError):
            if self._path:
                return min(max(int(self._path.read_text()), 0), 1000)
        return 0

    def _remember(self) -> None:
        # A file system that cannot be written costs the memory, not the metrics.
        with suppress(OSError):
            if self._path:
                self._path.write_text(f"{self._most}\n")
