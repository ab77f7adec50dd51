"""Dashboard A: all clusters, worst first."""

from __future__ import annotations

from typing import Any

from grafana.src import looks
from grafana.src.frame import dashboard, finished
from grafana.src.looks import exactly_one, orange_from, red_below, red_from
from grafana.src.panels import bars, timeline, verdict
from grafana.src.query import series
from grafana.src.tables import Column, Link, board
from pgha_exporter import names as n

UID = "pgha-fleet"
CLUSTER = "/d/pgha-cluster?var-scope=${__value.raw}&${__url_time_range}"
DAY = 86400


def build() -> dict[str, Any]:
    builder = dashboard(UID, "Fleet", "Every cluster at a glance; a row leads to its dashboard.")
    sections = {"": [*_strip(), _clusters(), _writable(), *_worst()]}
    return finished(builder, sections, one_cluster=False)


def _strip() -> list[Any]:
    healthy = red_from(1)
    writable = f"sum by (scope) ({series(n.POSTGRES_WRITABLE)})"
    return [
        verdict(
            "Clusters",
            "Clusters that any exporter reports.",
            f"count(count by (scope) ({series(n.CLUSTER_HAS_LEADER)}))",
            steps=looks.NEUTRAL,
        ),
        verdict(
            "Without a writable primary",
            "Open the red cluster in the table; runbook PghaNoWritablePrimary.",
            f"count({writable} == 0) or vector(0)",
            steps=healthy,
        ),
        verdict(
            "Without a failover candidate",
            "They work, and would stop with their leader; runbook PghaNoFailoverCandidate.",
            f"count({_most(n.FAILOVER_CANDIDATES)} == 0) or vector(0)",
            steps=healthy,
        ),
        verdict(
            "etcd at the edge or lost",
            "The next etcd failure stops failovers; runbook PghaEtcdOneFailureFromQuorumLoss.",
            f"count({_most(n.ETCD_FAILURE_TOLERANCE)} <= 0) or vector(0)",
            steps=healthy,
        ),
        verdict(
            "Exporters down",
            "Nothing is known about those nodes; runbook PghaExporterDown.",
            'count(up{job="pgha"} == 0) or vector(0)',
            steps=healthy,
        ),
        verdict(
            "Critical alerts",
            "Firing now, all clusters.",
            'count(ALERTS{alertstate="firing",severity="critical"}) or vector(0)',
            steps=healthy,
        ),
    ]


def _clusters() -> Any:
    return board(
        "Clusters in one line each",
        "A red cell names what is wrong; click the cluster.",
        {"scope": "Cluster"},
        [*_availability(), *_upkeep()],
        height=9,
        nothing="no cluster reports",
        link=Link("Open the cluster", CLUSTER),
    )


def _availability() -> list[Column]:
    """Does it write, could it fail over, how far are the others."""
    leader = f"max by (scope, member) ({series(n.LEADER_LOCK_HELD)}) == 1"
    lag = f"max by (scope) ({series(n.MEMBER_LAG_BYTES, stage='replay')})"
    return [
        Column("Leader", leader, label="member"),
        Column(
            "Writable",
            f"sum by (scope) ({series(n.POSTGRES_WRITABLE)})",
            steps=exactly_one(),
        ),
        Column("Members", _most(n.CLUSTER_MEMBERS)),
        Column(
            "Missing",
            f"{_most(n.CLUSTER_MEMBERS_EXPECTED)} - {_most(n.CLUSTER_MEMBERS)}",
            steps=red_from(1),
        ),
        Column("Candidates", _most(n.FAILOVER_CANDIDATES), steps=red_below(1)),
        Column("Worst lag", lag, unit="bytes", steps=red_from(16_777_216, 1_048_576)),
        Column(
            "Oldest data",
            f"max by (scope) ({series(n.MEMBER_LAG_SECONDS)})",
            unit="s",
            steps=red_from(60, 10),
        ),
        Column("etcd margin", _most(n.ETCD_FAILURE_TOLERANCE), steps=red_below(1)),
        Column("Paused", _most(n.CLUSTER_PAUSED), words=looks.YES_IS_BAD),
    ]


def _upkeep() -> list[Column]:
    """What waits for an operator, or will."""
    return [
        Column(
            "Restarts pending",
            f"sum by (scope) (max by (scope, member) ({series(n.MEMBER_PENDING_RESTART)}))",
            steps=orange_from(1),
        ),
        Column(
            "Leader since",
            f"time() - max by (scope) ({series(n.LAST_LEADER_CHANGE)} > 0)",
            unit="dtdurations",
        ),
        Column(
            "Backup age",
            f"time() - max by (scope) ({series(n.BACKUP_LAST_SUCCESS)} > 0)",
            unit="dtdurations",
            steps=red_from(26 * 3600),
        ),
        Column(
            "Certificates left",
            f"min by (scope) ({series(n.CERTIFICATE_NOT_AFTER)}) - time()",
            unit="dtdurations",
            steps=[(None, looks.RED), (2 * DAY, looks.ORANGE), (14 * DAY, looks.GREEN)],
        ),
        Column(
            "Alerts",
            'count by (scope) (ALERTS{alertstate="firing",severity=~"critical|warning"})',
            steps=red_from(1),
        ),
    ]


def _writable() -> Any:
    return timeline(
        "Writable primaries",
        "0 is an outage, 2 or more a split brain (or one scrape during a switchover).",
        {"{{scope}}": f"sum by (scope) ({series(n.POSTGRES_WRITABLE)})"},
        words={
            "0": ("none", looks.RED),
            "1": ("one", looks.GREEN),
            "2": ("two", looks.ORANGE),
            "3": ("three", looks.RED),
        },
        width=24,
    )


def _worst() -> list[Any]:
    left = series(n.FILESYSTEM_AVAIL)
    return [
        bars(
            "Largest lag",
            "The ten members with the most WAL to replay; runbook PghaReplicationLagBytes.",
            "{{scope}} {{member}}",
            "topk(10, scope_member:pgha_member_lag_bytes:max)",
            unit="bytes",
            steps=red_from(16_777_216, 1_048_576),
        ),
        bars(
            "Least free disk",
            "The ten fullest volumes; runbook PghaDiskAlmostFull.",
            "{{scope}} {{member}} {{volume}}",
            f"topk(10, 1 - {left} / {series(n.FILESYSTEM_SIZE)})",
            unit="percentunit",
            steps=red_from(0.9, 0.7),
        ),
    ]


def _most(metric: n.Metric) -> str:
    return f"max by (scope) ({series(metric)})"
