"""Dashboard C: one member: where its replication waits, and what fills its disk."""

from __future__ import annotations

from typing import Any

from grafana.src import looks
from grafana.src.frame import finished, of_cluster, variable
from grafana.src.looks import red_from
from grafana.src.panels import graph, timeline, verdict
from grafana.src.query import of_member, scoped, worst
from grafana.src.tables import Column, board
from pgha_exporter import names as n

UID = "pgha-node"
NEVER = 31_536_000
"""A year: what an estimate is cut off at."""


def build() -> dict[str, Any]:
    members = f"label_values({scoped(n.POSTGRES_UP)}, member)"
    builder = of_cluster(
        UID, "Node and replication", "One member: where replication waits, what fills the disk."
    ).with_variable(variable("member", "Member", members))
    sections = {
        "": _strip(),
        "Replication": _replication(),
        "Slots, WAL and disk": [_slots(), *_disk()],
        "Exporter and certificates": [_sources(), _durations(), _errors(), _certificates()],
    }
    return finished(builder, sections)


def _strip() -> list[Any]:
    return [
        verdict(
            "PostgreSQL",
            "Answers a query in time. Down on the leader: runbook PghaLeaderNotAnswering.",
            f"max({of_member(n.POSTGRES_UP)})",
            steps=looks.NEUTRAL,
            words=looks.UP,
        ),
        verdict(
            "Role",
            "As seen from this member.",
            f"max by (role) ({of_member(n.ROLE)}) == 1",
            steps=[(None, looks.BLUE)],
            legend="{{role}}",
        ),
        verdict(
            "Timeline",
            "Must be the leader's; runbook PghaTimelineMismatch.",
            f"max({of_member(n.POSTGRES_TIMELINE)})",
            steps=looks.NEUTRAL,
        ),
        verdict(
            "Data age",
            "How old the data is that this member shows.",
            f"max({of_member(n.MEMBER_LAG_SECONDS)})",
            steps=red_from(60, 10),
            unit="s",
        ),
        verdict(
            "Connections in use",
            "At 100 % new clients are refused; runbook PghaConnectionsNearLimit.",
            f"max({of_member(n.POSTGRES_CONNECTIONS)} / {of_member(n.POSTGRES_MAX_CONNECTIONS)})",
            steps=red_from(0.9, 0.8),
            unit="percentunit",
        ),
        verdict(
            "Replay paused",
            "Yes: `SELECT pg_wal_replay_resume()`; runbook PghaReplayPaused.",
            f"max({of_member(n.REPLAY_PAUSED)}) or vector(0)",
            steps=looks.NEUTRAL,
            words=looks.YES_IS_BAD,
        ),
    ]


def _replication() -> list[Any]:
    receive = worst(n.MEMBER_LAG_BYTES, member="$member", stage="receive")
    replay = worst(n.MEMBER_LAG_BYTES, member="$member", stage="replay")
    current = f"max(rate({scoped(n.WAL_POSITION, position='current')}[$__rate_interval]))"
    replayed = f"max(rate({of_member(n.WAL_POSITION, position='replay')}[$__rate_interval]))"
    heard = f"time() - max({of_member(n.WAL_RECEIVER_LAST_MESSAGE)})"
    return [
        graph(
            "Where the lag is",
            "On the way: network or the disk that writes WAL. To be replayed: queries or the disk.",
            {"on the way": receive, "received, to be replayed": f"{replay} - {receive}"},
            unit="bytes",
            stacked=True,
        ),
        graph(
            "Age of the data",
            "Runbook PghaReplicationLagSeconds.",
            {"{{member}}": worst(n.MEMBER_LAG_SECONDS, "member", member="$member")},
            unit="s",
            limits=red_from(10),
        ),
        graph(
            "WAL written and replayed",
            "Replay below the leader's rate: the lag grows.",
            {"written by the leader": current, "replayed here": replayed},
            unit="binBps",
        ),
        graph(
            "Time until it has caught up",
            f"At the present rates; cut off at a year ({NEVER} s), which means never.",
            {"left": f"clamp_max({replay} / clamp_min({replayed} - {current}, 1), {NEVER})"},
            unit="s",
        ),
        graph(
            "Silence of the WAL sender",
            "An idle leader writes every 30 s; more than 45 s is a cut connection.",
            {"since the last message": heard},
            unit="s",
            limits=red_from(45),
        ),
        graph(
            "Timeline",
            "All members on one line, which rises at a change of the leader.",
            {"{{member}}": f"max by (member) ({scoped(n.POSTGRES_TIMELINE)})"},
            unit="none",
            minimum=None,
        ),
    ]


def _slots() -> Any:
    status = f"max by (slot, status) ({of_member(n.SLOT_WAL_STATUS)}) == 1"
    unused = f"time() - max by (slot) ({of_member(n.SLOT_INACTIVE_SINCE)} > 0)"
    return board(
        "Replication slots",
        "A slot that nobody uses keeps WAL for ever; runbook PghaSlotRetainsWal.",
        {"slot": "Slot"},
        [
            Column(
                "In use",
                f"max by (slot) ({of_member(n.SLOT_ACTIVE)})",
                words={"0": ("no", looks.ORANGE), "1": ("yes", looks.GREEN)},
            ),
            Column(
                "Keeps",
                f"max by (slot) ({of_member(n.SLOT_RETAINED)})",
                unit="bytes",
                steps=red_from(10 * 2**30, 2**30),
            ),
            Column(
                "Still safe",
                f"max by (slot) ({of_member(n.SLOT_SAFE_WAL)})",
                unit="bytes",
            ),
            Column("WAL", status, label="status"),
            Column("Unused for", unused, unit="dtdurations"),
        ],
        nothing="no slot",
        height=7,
    )


def _disk() -> list[Any]:
    avail = of_member(n.FILESYSTEM_AVAIL)
    left = f"clamp_max(-{avail} / clamp_max(deriv({avail}[1h]), -1), {NEVER})"
    return [
        graph(
            "Kept by slots and free space for WAL",
            "When a slot's line meets the free space, PostgreSQL stops.",
            {
                "{{slot}}": f"max by (slot) ({of_member(n.SLOT_RETAINED)})",
                "free": f"max({of_member(n.FILESYSTEM_AVAIL, volume='wal')})",
                "WAL directory": f"max({of_member(n.WAL_DIRECTORY)})",
            },
            unit="bytes",
        ),
        graph(
            "Time until a volume is full",
            "At the rate of the last hour, at most a year; runbook PghaDiskFullSoon.",
            {"{{volume}}": f"min by (volume) ({left})"},
            unit="s",
            limits=[(None, looks.RED), (4 * 3600, looks.GREEN)],
        ),
        graph(
            "Used space",
            "Runbook PghaDiskAlmostFull.",
            {"{{volume}}": f"max by (volume) (1 - {avail} / {of_member(n.FILESYSTEM_SIZE)})"},
            unit="percentunit",
            limits=red_from(0.9),
        ),
        graph(
            "Segments to be archived",
            "Only with archiving on; runbook PghaArchivingFailing.",
            {"waiting": f"max({of_member(n.ARCHIVE_READY)})"},
            unit="none",
            limits=red_from(64),
        ),
    ]


def _sources() -> Any:
    return timeline(
        "Sources of this node's exporter",
        "Red: it did not answer in time; runbook PghaSourceFailing.",
        {"{{source}}": f"max by (source) ({_here(scoped(n.SOURCE_UP))})"},
        words=looks.UP,
    )


def _durations() -> Any:
    return graph(
        "How long each source takes",
        "The deadline cuts a hanging source off.",
        {"{{source}}": f"max by (source) ({_here(scoped(n.SOURCE_DURATION))})"},
        unit="s",
        height=7,
    )


def _errors() -> Any:
    failures = f"rate({scoped(n.SOURCE_ERRORS)}[$__rate_interval])"
    return graph(
        "Failed questions per minute",
        "By reason: timeout and busy hang, refused is down, tls and auth want a deploy.",
        {
            "{{source}} {{reason}}": f"sum by (source, reason) ({_here(failures)}) * 60 > 0",
        },
        unit="none",
        height=7,
    )


def _certificates() -> Any:
    left = f"min by (use) ({of_member(n.CERTIFICATE_NOT_AFTER)}) - time()"
    return board(
        "Certificates",
        "A deploy renews from 30 days before the end; runbook PghaCertificateExpiring.",
        {"use": "Certificate"},
        [
            Column(
                "Valid for",
                left,
                unit="dtdurations",
                steps=[(None, looks.RED), (2 * 86400, looks.ORANGE), (14 * 86400, looks.GREEN)],
            )
        ],
        width=12,
        height=7,
        nothing="no certificate",
    )


def _here(series: str) -> str:
    """What the exporter on the member's node says of itself: joined by the node's instance."""
    return f"{series} and on (scope, instance) {of_member(n.POSTGRES_UP)}"
