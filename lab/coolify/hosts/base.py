"""How the stand-in reaches a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..store.database import Row

UNREACHABLE = 255


@dataclass(frozen=True)
class Completed:
    """Outcome of a script. Exit status 255 is ssh's own: the server could not be reached."""

    exit_status: int
    stdout: str = ""
    stderr: str = ""

    @property
    def unreachable(self) -> bool:
        return self.exit_status == UNREACHABLE

    @property
    def ok(self) -> bool:
        return self.exit_status == 0


class Host(Protocol):
    """Runs a script on a server with `bash -se`: it stops at the first failing line."""

    async def run(self, server: Row, script: str, *, timeout_s: float) -> Completed:
        """Never raises for a failing script, an unreachable server or a timeout (status 124)."""
        ...
