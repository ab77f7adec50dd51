"""Dashboard E: what would be lost if all servers burned now."""

from __future__ import annotations

from typing import Any

from grafana.src.frame import finished, of_cluster
from grafana.src.looks import red_from
from grafana.src.panels import graph, verdict
from grafana.src.query import scoped
from grafana.src.tables import Column, board
from pgha_exporter import names as n

UID = "pgha-backup"
DAY = 86400


def build() -> dict[str, Any]:
    builder = of_cluster(
        UID, "Backups", "How old the newest backup is, and was it ever restored.", range_="now-7d"
    )
    sections = {
        "": [*_strip(), _kinds()],
        "Over time": _history(),
        "WAL archive": _archive(),
    }
    return finished(builder, sections)


def _age(metric: n.Metric) -> str:
    return f"time() - max({scoped(metric)} > 0)"


def _strip() -> list[Any]:
    return [
        verdict(
            "Newest backup",
            "Its age is what would be lost without a WAL archive; runbook PghaBackupTooOld.",
            _age(n.BACKUP_LAST_SUCCESS),
            steps=red_from(26 * 3600),
            unit="dtdurations",
            width=8,
            nothing="never",
        ),
        verdict(
            "Last restored as a test",
            "Runbook PghaBackupUnverified.",
            _age(n.BACKUP_LAST_VERIFIED),
            steps=red_from(8 * DAY),
            unit="dtdurations",
            width=8,
            nothing="never",
        ),
        verdict(
            "Archived up to",
            "What a restore to a point in time would lose. Only with archiving on.",
            _age(n.ARCHIVE_LAST_SUCCESS),
            steps=red_from(3600, 600),
            unit="dtdurations",
            width=8,
            nothing="no archive",
        ),
    ]


def _kinds() -> Any:
    return board(
        "Backups by kind",
        "Ages; a kind that was never taken is not listed.",
        {"kind": "Kind"},
        [
            Column(
                "Last good one",
                f"time() - max by (kind) ({scoped(n.BACKUP_LAST_SUCCESS)} > 0)",
                unit="dtdurations",
            ),
            Column(
                "Last restored as a test",
                f"time() - max by (kind) ({scoped(n.BACKUP_LAST_VERIFIED)} > 0)",
                unit="dtdurations",
            ),
        ],
        height=6,
        nothing="never",
    )


def _history() -> list[Any]:
    return [
        graph(
            "Age of the newest backup",
            "A saw-tooth with the schedule; a tooth above the line is a missed backup.",
            {"{{kind}}": f"time() - max by (kind) ({scoped(n.BACKUP_LAST_SUCCESS)} > 0)"},
            unit="s",
            limits=red_from(26 * 3600),
        ),
        graph(
            "Age of the last restore test",
            "Falls to 0 with each test.",
            {"{{kind}}": f"time() - max by (kind) ({scoped(n.BACKUP_LAST_VERIFIED)} > 0)"},
            unit="s",
            limits=red_from(8 * DAY),
        ),
    ]


def _archive() -> list[Any]:
    failed = f"changes({scoped(n.ARCHIVE_LAST_FAILURE)}[$__rate_interval])"
    return [
        graph(
            "Segments to be archived",
            "Above the line the alert fires; runbook PghaArchivingFailing.",
            {"{{member}}": f"max by (member) ({scoped(n.ARCHIVE_READY)})"},
            unit="none",
            limits=red_from(64),
        ),
        graph(
            "Failures of the archiver",
            "Each one is tried again; a row of them fills the disk.",
            {"{{member}}": f"max by (member) ({failed})"},
            unit="none",
        ),
    ]
