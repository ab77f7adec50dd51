"""The members of one cluster on its dashboard: what they were, what they are, who may lead."""

from __future__ import annotations

from typing import Any

from grafana.src import looks
from grafana.src.looks import red_from
from grafana.src.panels import timeline
from grafana.src.query import scoped, worst
from grafana.src.tables import Column, Link, board
from pgha_exporter import names as n

ROLE_COLORS = {
    "leader": looks.GREEN,
    "standby_leader": looks.GREEN,
    "sync_standby": "blue",
    "quorum_standby": "blue",
    "replica": "light-blue",
    "none": looks.RED,
}
ROLES = {str(index + 1): (role, ROLE_COLORS[role]) for index, role in enumerate(n.ROLES)}
"""A band of the state timeline needs a number per role: its place in the catalogue."""


def panels() -> list[Any]:
    return [_role_history(), _writable(), _members(), _blocked()]


def _role_history() -> Any:
    numbered = " or ".join(
        f"max by (member) ({scoped(n.ROLE, role=role)} == 1) * {index + 1}"
        for index, role in enumerate(n.ROLES)
    )
    return timeline(
        "Role history",
        "Who was what, when. Red: PostgreSQL was down. A gap: nothing is known.",
        {"{{member}}": numbered},
        words=ROLES,
    )


def _writable() -> Any:
    return timeline(
        "Writable history",
        "Green bands must never overlap for longer than two scrapes.",
        {"{{member}}": f"max by (member) ({scoped(n.POSTGRES_WRITABLE)})"},
        words={"0": ("read-only", looks.GRAY), "1": ("writable", looks.GREEN)},
    )


def _members() -> Any:
    node = "/d/pgha-node?var-scope=${scope}&var-member=${__value.raw}&${__url_time_range}"
    return board(
        "Members at this moment",
        "One line per member that any exporter knows; click it for its own dashboard.",
        {"member": "Member"},
        [*_lag(), *_state()],
        width=16,
        nothing="no member reports",
        link=Link("Open the member", node),
    )


def _lag() -> list[Column]:
    return [
        Column("Receive lag", worst(n.MEMBER_LAG_BYTES, "member", stage="receive"), unit="bytes"),
        Column(
            "Replay lag",
            worst(n.MEMBER_LAG_BYTES, "member", stage="replay"),
            unit="bytes",
            steps=red_from(16_777_216, 1_048_576),
        ),
        Column(
            "Data age",
            worst(n.MEMBER_LAG_SECONDS, "member"),
            unit="s",
            steps=red_from(60, 10),
        ),
    ]


def _state() -> list[Column]:
    return [
        Column(
            "Role",
            f"max by (member, role) ({scoped(n.ROLE)}) == 1",
            label="role",
        ),
        Column(
            "State",
            f"max by (member, state) ({scoped(n.POSTGRES_STATE)}) == 1",
            label="state",
        ),
        Column("Timeline", f"max by (member) ({scoped(n.POSTGRES_TIMELINE)})"),
        Column(
            "Restart pending",
            worst(n.MEMBER_PENDING_RESTART, "member"),
            words=looks.YES_IS_BAD,
        ),
        Column(
            "Connections",
            f"max by (member) ({scoped(n.POSTGRES_CONNECTIONS)})",
        ),
        Column(
            "Running for",
            f"time() - max by (member) ({scoped(n.POSTGRES_START)})",
            unit="dtdurations",
        ),
    ]


def _blocked() -> Any:
    return board(
        "Why a member cannot be promoted",
        "Empty is good. What to do about each reason: runbook PghaNoFailoverCandidate.",
        {"member": "Member"},
        [
            Column(
                "Reason",
                f"{worst(n.FAILOVER_BLOCKED, 'member', 'reason')} == 1",
                label="reason",
            )
        ],
        width=8,
        nothing="every replica could",
    )
