"""Dashboard D: etcd as its clients see it."""

from __future__ import annotations

from typing import Any

from grafana.src import looks
from grafana.src.frame import finished, of_cluster
from grafana.src.looks import red_below, red_from
from grafana.src.panels import graph, timeline, verdict
from grafana.src.query import scoped, worst
from grafana.src.tables import Column, board
from pgha_exporter import names as n

UID = "pgha-etcd"


def build() -> dict[str, Any]:
    builder = of_cluster(UID, "etcd quorum", "Can nodes read with quorum, and how much is left.")
    sections = {
        "": _strip(),
        "Members": [_reach(), _leaders(), _members(), _quorum()],
        "Speed": _speed(),
        "Database": _database(),
    }
    return finished(builder, sections)


def _strip() -> list[Any]:
    voters = worst(n.ETCD_VOTERS)
    leading = f"max by (etcd_member) ({scoped(n.ETCD_MEMBER_IS_LEADER)}) == 1"
    return [
        verdict(
            "Quorum",
            "A node could read with quorum. No: runbook PghaEtcdQuorumLost.",
            worst(n.ETCD_HAS_QUORUM),
            steps=looks.NEUTRAL,
            words=looks.YES_IS_GOOD,
        ),
        verdict(
            "Failures left",
            "0: the next one loses the quorum; runbook PghaEtcdOneFailureFromQuorumLoss.",
            worst(n.ETCD_FAILURE_TOLERANCE),
            steps=red_below(1),
        ),
        verdict(
            "Healthy voters",
            "Voters that answer and follow a leader.",
            worst(n.ETCD_HEALTHY_VOTERS),
            steps=looks.NEUTRAL,
            width=3,
        ),
        verdict(
            "Voters", "Members with a vote; an odd number.", voters, steps=looks.NEUTRAL, width=3
        ),
        verdict(
            "Needed for quorum",
            "More than half of the voters.",
            f"floor({voters} / 2) + 1",
            steps=looks.NEUTRAL,
            width=3,
        ),
        verdict(
            "Leader of etcd",
            "None: there is no quorum.",
            leading,
            steps=[(None, looks.BLUE)],
            legend="{{etcd_member}}",
            nothing="no leader",
            width=4,
        ),
        verdict(
            "Failsafe mode",
            "Yes: the leader of PostgreSQL goes on without etcd; runbook PghaFailsafeActive.",
            worst(n.FAILSAFE_ACTIVE),
            steps=looks.NEUTRAL,
            words=looks.YES_IS_BAD,
            width=3,
        ),
    ]


def _reach() -> Any:
    up = f"max by (instance, etcd_member) ({scoped(n.ETCD_MEMBER_UP)})"
    return timeline(
        "Who reaches whom",
        "From each node to each member. One node red: its network; one member red: that member.",
        {"{{instance}} to {{etcd_member}}": up},
        words=looks.UP,
        height=10,
    )


def _leaders() -> Any:
    return timeline(
        "Who leads etcd",
        "Frequent changes: slow disks or an unstable network.",
        {"{{etcd_member}}": worst(n.ETCD_MEMBER_IS_LEADER, "etcd_member")},
        words={"0": ("follows", looks.GRAY), "1": ("leads", looks.GREEN)},
        height=10,
    )


def _members() -> Any:
    return board(
        "Members of etcd",
        "A red member: runbook PghaEtcdMemberDown.",
        {"etcd_member": "Member"},
        [
            Column("Answers", worst(n.ETCD_MEMBER_UP, "etcd_member"), words=looks.UP),
            Column(
                "Without a vote",
                worst(n.ETCD_MEMBER_IS_LEARNER, "etcd_member"),
                words={"0": ("no", looks.GRAY), "1": ("yes", looks.BLUE)},
            ),
            Column(
                "Entries behind",
                worst(n.ETCD_RAFT_APPLIED_LAG, "etcd_member"),
                steps=red_from(5000, 500),
            ),
            Column("Database", worst(n.ETCD_DB_SIZE, "etcd_member"), unit="bytes"),
            Column("Alarm", worst(n.ETCD_ALARM, "etcd_member"), words=looks.YES_IS_BAD),
        ],
        width=12,
        height=7,
        nothing="no member answers",
    )


def _quorum() -> Any:
    return timeline(
        "Reads with quorum from each node",
        "One red node: runbook PghaNodeCutOffFromEtcd; all red: PghaEtcdQuorumLost.",
        {"{{instance}}": f"max by (instance) ({scoped(n.ETCD_HAS_QUORUM)})"},
        words={"0": ("fails", looks.RED), "1": ("works", looks.GREEN)},
    )


def _speed() -> list[Any]:
    bucket = scoped(n.ETCD_REQUEST_DURATION, "_bucket", op="linearizable_read")
    rate = f"sum by (le, instance) (rate({bucket}[$__rate_interval]))"
    ttl, wait = scoped(n.CLUSTER_TTL), scoped(n.CLUSTER_LOOP_WAIT)
    retry = scoped(n.CLUSTER_RETRY_TIMEOUT)
    return [
        graph(
            "Read with quorum, 99th percentile",
            "From each node. Above 0.5 s Patroni's renewals become late.",
            {"{{instance}}": f"histogram_quantile(0.99, {rate})"},
            unit="s",
            limits=red_from(0.5),
        ),
        graph(
            "Lease left of the leader's lock",
            "A saw-tooth between ttl and ttl - loop_wait. Below the alert line renewals are late.",
            {
                "left": f"min({scoped(n.LEADER_LEASE_REMAINING)})",
                "ttl": f"max({ttl})",
                "normal floor": f"max({ttl} - {wait})",
                "alert": f"max({ttl} - {wait} - {retry} / 2)",
            },
            unit="s",
        ),
    ]


def _database() -> list[Any]:
    return [
        graph(
            "Size of the database",
            "Size stays after a compaction; defragmentation gives it back.",
            {
                "{{etcd_member}}": worst(n.ETCD_DB_SIZE, "etcd_member"),
                "{{etcd_member}} in use": worst(n.ETCD_DB_IN_USE, "etcd_member"),
            },
            unit="bytes",
        ),
        graph(
            "Share of the quota",
            "At 100 % etcd accepts no writes; runbook PghaEtcdDatabaseFilling.",
            {
                "{{etcd_member}}": f"max by (etcd_member) "
                f"({scoped(n.ETCD_DB_SIZE)} / {scoped(n.ETCD_DB_QUOTA)})"
            },
            unit="percentunit",
            limits=red_from(0.8),
        ),
    ]
