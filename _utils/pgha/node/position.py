"""How far this server's PostgreSQL data directory goes, read without PostgreSQL running.

pg_controldata alone is not enough: a standby notes there only how far it must replay, and what it
has received beyond that is in pg_wal and is replayed when it starts. So pg_waldump reads on from
the last checkpoint to the last valid record.

Tools run from the Patroni image, which has PostgreSQL's version of the data; they can only read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgha.errors import FailedError
from pgha.node.docker import Docker
from pgha.recover.copies import lsn_number, lsn_text
from pgha.render.places import POSTGRES_DATA, POSTGRES_VOLUME, data_directory
from pgha.topology import Topology

SEGMENT_NAME = re.compile(r"[0-9A-F]{24}")
READING_TIMEOUT_S = 300
COMMITS_LOOKED_AT = 4
"""WAL segments at the end in which the last commit is looked for."""


@dataclass(frozen=True)
class Control:
    """What pg_controldata says. ``floor`` is the position that is safe to assume."""

    system: str
    state: str
    timeline: int
    redo: int
    floor: int
    segment_bytes: int


def position(topology: Topology, docker: Docker) -> dict[str, Any]:
    """Return ``system``, ``state``, ``timeline``, ``lsn``, ``last_commit`` and ``history``
    (``[[timeline, lsn at which it ended]]``), JSON-ready.

    Raises:
        FailedError: there is a data directory that the tools cannot read.
    """
    volume = data_directory(topology, "postgresql")
    wal = Path(volume) / "data" / "pg_wal"
    tool = _Tool(topology, docker, volume)
    control = parse_control(tool.run("pg_controldata", POSTGRES_DATA))
    names = sorted(entry.name for entry in wal.iterdir() if SEGMENT_NAME.fullmatch(entry.name))
    timeline = max([control.timeline, *(int(name[:8], 16) for name in names)])
    start = first_position(control, timeline, names)
    end = control.floor if start is None else max(control.floor, tool.end_of_wal(timeline, start))
    recent = max(start or 0, end - COMMITS_LOOKED_AT * control.segment_bytes)
    return {
        "system": control.system,
        "state": control.state,
        "timeline": timeline,
        "lsn": end,
        "last_commit": tool.last_commit(timeline, recent) if start is not None else None,
        "history": parse_history(wal / f"{timeline:08X}.history"),
    }


def parse_control(text: str) -> Control:
    """The part of pg_controldata's output (in English) that tells a position."""
    values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    found = {key.strip(): value.strip() for key, value in values.items()}
    try:
        recovery = lsn_number(found["Minimum recovery ending location"])
        return Control(
            system=found["Database system identifier"],
            state=found["Database cluster state"],
            timeline=max(
                int(found["Latest checkpoint's TimeLineID"]),
                int(found["Min recovery ending loc's timeline"]),
            ),
            redo=lsn_number(found["Latest checkpoint's REDO location"]),
            floor=max(recovery, lsn_number(found["Latest checkpoint location"])),
            segment_bytes=int(found["Bytes per WAL segment"]),
        )
    except (KeyError, ValueError) as error:
        raise FailedError(f"pg_controldata printed no {error}; is the data directory whole?") from (
            error
        )


def first_position(control: Control, timeline: int, names: Iterable[str]) -> int | None:
    """Where to begin reading WAL of a timeline: at the last checkpoint's redo position if that
    is in a file of the timeline, else at the timeline's first file after it; None without any.
    """
    per_log = 0x100000000 // control.segment_bytes
    starts = [
        (int(name[8:16], 16) * per_log + int(name[16:], 16)) * control.segment_bytes
        for name in names
        if int(name[:8], 16) == timeline
    ]
    redo_start = control.redo - control.redo % control.segment_bytes
    if redo_start in starts:
        return control.redo
    return min((start for start in starts if start > redo_start), default=None)


def parse_history(path: Path) -> list[list[int]]:
    """``[[timeline, lsn]]`` of a timeline history file; empty for the first timeline."""
    if not path.exists():
        return []
    fields = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [[int(each[0]), lsn_number(each[1])] for each in fields if len(each) > 1]


@dataclass(frozen=True)
class _Tool:
    """PostgreSQL's tools on this server's data, read-only."""

    topology: Topology
    docker: Docker
    volume: str

    def run(self, *command: str) -> str:
        return self.docker.run_tool(
            self.topology.images.patroni, self.volume, POSTGRES_VOLUME,
            "env", "LC_ALL=C", *command, timeout_s=READING_TIMEOUT_S,
        )  # fmt: skip

    def end_of_wal(self, timeline: int, start: int) -> int:
        """The end of the last valid record, 0 when there is none."""
        output = self._waldump(timeline, start, "--stats")
        found = re.search(r"statistics between \S+ and ([0-9A-F]+/[0-9A-F]+)", output)
        return lsn_number(found[1]) if found else 0

    def last_commit(self, timeline: int, start: int) -> str | None:
        """When the last transaction was committed, as PostgreSQL writes it."""
        output = self._waldump(
            timeline, start, "--rmgr=Transaction", then="| grep -o 'COMMIT [^;]*' | tail -n 1"
        )
        return output.strip().removeprefix("COMMIT ") or None

    def _waldump(self, timeline: int, start: int, *options: str, then: str = "") -> str:
        # It ends with an error where the WAL ends, which is what we look for.
        command = (
            f"pg_waldump --path={POSTGRES_DATA}/pg_wal --timeline={timeline} "
            f"--start={lsn_text(start)} {' '.join(options)} 2>/dev/null {then}"
        )
        return self.run("sh", "-c", f"{command} || true")
