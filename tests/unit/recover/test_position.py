"""The end of a data directory's WAL, from what PostgreSQL's own tools print."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pgha.errors import FailedError
from pgha.node import position as reading
from pgha.node.docker import END, Docker
from pgha.node.position import first_position, parse_control, parse_history
from tests.support.clusters import topology

CONTROL = """\
pg_control version number:            1300
Database system identifier:           7571234567890123456
Database cluster state:               in archive recovery
pg_control last modified:             Tue 24 Nov 2026 06:00:00 AM UTC
Latest checkpoint location:           0/5000060
Latest checkpoint's REDO location:    0/5000028
Latest checkpoint's TimeLineID:       2
Minimum recovery ending location:     0/6000148
Min recovery ending loc's timeline:   2
Bytes per WAL segment:                16777216
"""
SEGMENT = 16 * 1024 * 1024


def test_a_standbys_floor_is_what_it_must_replay() -> None:
    control = parse_control(CONTROL)
    assert (control.timeline, control.redo, control.floor) == (2, 0x5000028, 0x6000148)
    assert control.state == "in archive recovery"


def test_a_damaged_directory_is_a_sentence() -> None:
    with pytest.raises(FailedError, match="pg_controldata printed no"):
        parse_control("pg_controldata: error: could not read file")


@pytest.mark.parametrize(
    ("timeline", "names", "start"),
    [
        (2, ["000000020000000000000005", "000000020000000000000006"], 0x5000028),
        (3, ["000000020000000000000005", "000000030000000000000006"], 0x6000000),
        (3, ["000000020000000000000005"], None),
        (2, ["000000020000000000000003"], None),
    ],
)
def test_reading_begins_where_the_timeline_has_files(
    timeline: int, names: list[str], start: int | None
) -> None:
    assert first_position(parse_control(CONTROL), timeline, names) == start


def test_history_tells_where_each_timeline_ended(tmp_path: Path) -> None:
    file = tmp_path / "00000003.history"
    file.write_text("1\t0/3000148\tno recovery target specified\n\n2\t0/40000A0\treason\n")
    assert parse_history(file) == [[1, 0x3000148], [2, 0x40000A0]]
    assert parse_history(tmp_path / "00000001.history") == []


def test_wal_received_and_not_replayed_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wal = tmp_path / "data" / "pg_wal"
    wal.mkdir(parents=True)
    for name in ("000000020000000000000005", "00000002.history", "archive_status"):
        (wal / name).touch()
    monkeypatch.setattr(reading, "data_directory", lambda *_: str(tmp_path))

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        text = " ".join(command)
        assert "--read-only" in command
        if "pg_controldata" in text:
            out = CONTROL
        elif "--stats" in text:
            out = "WAL statistics between 0/5000028 and 0/6A00000:\n"
        else:
            out = "COMMIT 2026-11-24 06:00:01.5 UTC\n"
        return subprocess.CompletedProcess(command, 0, out + END, "")

    found = reading.position(topology(), Docker(run=run))
    assert (found["timeline"], found["lsn"]) == (2, 0x6A00000)
    assert found["last_commit"] == "2026-11-24 06:00:01.5 UTC"
    assert found["system"] == "7571234567890123456"
