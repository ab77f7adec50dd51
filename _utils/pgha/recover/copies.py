"""Which copy of the database is the most advanced, and what the others hold that it does not.

A copy is one server's data directory. Its position is its timeline and the end of the last valid
WAL record on it: that is where PostgreSQL ends up when it is started there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgha.errors import ConflictError, NotFoundError
from pgha.topology import Topology


@dataclass(frozen=True)
class Copy:
    """One data directory.

    ``system`` is the identifier that initdb gave the cluster, ``lsn`` a byte position,
    ``history`` where each earlier timeline ended (``{timeline: lsn}``), ``last_commit`` when
    the last transaction in its newest WAL was committed, as PostgreSQL wrote it.
    """

    node: str
    host: str
    system: str
    state: str
    timeline: int
    lsn: int
    last_commit: str | None
    history: Mapping[int, int]

    @classmethod
    def from_answer(cls, topology: Topology, host: str, answer: Mapping[str, Any]) -> Copy:
        """From what ``postgres_data.position`` returned."""
        return cls(
            node=topology.node(host).name,
            host=host,
            system=answer["system"],
            state=answer["state"],
            timeline=answer["timeline"],
            lsn=answer["lsn"],
            last_commit=answer["last_commit"],
            history={int(timeline): lsn for timeline, lsn in answer["history"]},
        )

    def line(self) -> str:
        """The copy for people."""
        when = f", last commit {self.last_commit}" if self.last_commit else ""
        return (
            f"{self.node} ({self.host}): timeline {self.timeline}, WAL to {lsn_text(self.lsn)}, "
            f"{self.state}{when}"
        )


def most_advanced(copies: Sequence[Copy]) -> Copy:
    """The copy with the newest timeline and, on it, the most WAL; the first declared of equals.

    A newer timeline wins over more WAL on an older one: it exists because a member was promoted,
    and everything that clients were told since then is on it.

    Raises:
        NotFoundError: there is no copy at all.
        ConflictError: they are copies of different databases.
    """
    if not copies:
        raise NotFoundError(
            "No server that is left has a PostgreSQL data directory; restore a backup into a new "
            "cluster instead (docs/recovery.md, everything is gone)."
        )
    systems = {copy.system: copy.node for copy in copies}
    if len(systems) > 1:
        found = ", ".join(f"{copy.node} {copy.system}" for copy in copies)
        raise ConflictError(
            f"The servers hold copies of different databases (system identifiers: {found}); name "
            "the servers with the wrong one as lost, or move their data directory away."
        )
    return max(copies, key=lambda copy: (copy.timeline, copy.lsn))


def compared(chosen: Copy, other: Copy) -> str:
    """What becomes of another copy when the chosen one leads."""
    if other.timeline == chosen.timeline:
        behind = chosen.lsn - other.lsn
        return f"{other.node} is {behind} bytes behind and catches up."
    left_at = chosen.history.get(other.timeline)
    if left_at is None:
        return (
            f"{other.node} is on timeline {other.timeline}, which is not in the history of "
            f"{chosen.node}; it may have to be rebuilt."
        )
    if other.lsn > left_at:
        return (
            f"{other.node} has {other.lsn - left_at} bytes of WAL on timeline {other.timeline} "
            f"that {chosen.node} never got; they are lost when it is rewound."
        )
    return f"{other.node} is on timeline {other.timeline} and catches up."


def lsn_text(lsn: int) -> str:
    """``0/3000148``, as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_number(text: str) -> int:
    """The number of ``0/3000148``."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)
