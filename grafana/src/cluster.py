"""Dashboard B: one cluster: is it well, could it fail over, and why not."""

from __future__ import annotations

from typing import Any

from grafana.src import cluster_members, looks
from grafana.src.frame import finished, of_cluster
from grafana.src.looks import exactly_one, red_below, red_from
from grafana.src.panels import graph, timeline, verdict
from grafana.src.query import scoped, worst
from grafana.src.tables import Column, board
from pgha_exporter import names as n

UID = "pgha-cluster"


def build() -> dict[str, Any]:
    builder = of_cluster(UID, "Cluster HA", "Who leads, who could, and what keeps others from it.")
    sections = {
        "": _strip(),
        "Members": cluster_members.panels(),
        "Replication": _lag(),
        "Leadership": _leadership(),
        "What could surprise in a failover": [_sources(), _routes(), _configuration(), _alerts()],
    }
    return finished(builder, sections)


def _strip() -> list[Any]:
    floor = least_lease()
    return [
        verdict(
            "Leader",
            "Holder of the lock in etcd, read with quorum. None: runbook PghaNoWritablePrimary.",
            f"max by (member) ({scoped(n.LEADER_LOCK_HELD)}) == 1",
            steps=[(None, looks.RED), (1, looks.GREEN)],
            legend="{{member}}",
            nothing="no leader",
        ),
        verdict(
            "Writable members",
            "Exactly one. 0: runbook PghaNoWritablePrimary; 2: PghaMultipleWritablePrimaries.",
            f"sum({scoped(n.POSTGRES_WRITABLE)})",
            steps=exactly_one(),
            width=3,
        ),
        verdict(
            "Could fail over to",
            "Replicas that could be promoted now; 0: see why below.",
            worst(n.FAILOVER_CANDIDATES),
            steps=red_below(1),
            width=3,
        ),
        verdict(
            "etcd failures left",
            "How many more voters may fail. 0: the next one stops failovers.",
            worst(n.ETCD_FAILURE_TOLERANCE),
            steps=red_below(1),
            width=3,
        ),
        verdict(
            "Lease floor, 5 min",
            "Below ttl - loop_wait the leader renews late; runbook PghaLeaderLeaseNearExpiry.",
            floor,
            steps=[(None, looks.RED), (10, looks.ORANGE), (15, looks.GREEN)],
            unit="s",
            width=3,
        ),
        verdict(
            "Paused",
            "Yes: no automatic failover until `patronictl resume`.",
            worst(n.CLUSTER_PAUSED),
            steps=looks.NEUTRAL,
            words=looks.YES_IS_BAD,
            width=3,
        ),
        verdict(
            "Leader for",
            "Time since the last change of the leader.",
            f"time() - max({scoped(n.LAST_LEADER_CHANGE)} > 0)",
            steps=looks.NEUTRAL,
            unit="dtdurations",
            width=5,
            nothing="never changed",
        ),
    ]


def least_lease() -> str:
    """The lowest that the leader's lease fell to within five minutes."""
    return f"min(min_over_time({scoped(n.LEADER_LEASE_REMAINING)}[5m]))"


def _lag() -> list[Any]:
    limit = worst(n.CLUSTER_MAXIMUM_LAG)
    return [
        graph(
            "Replay lag in bytes",
            "Beyond the limit a member is not promoted. Lag of a silent member stays visible.",
            {
                "{{member}}": worst(n.MEMBER_LAG_BYTES, "member", stage="replay"),
                "limit for a failover": limit,
            },
            unit="bytes",
        ),
        graph(
            "Age of the data on each member",
            "Seconds since the leader had what the member shows; independent of clocks.",
            {"{{member}}": worst(n.MEMBER_LAG_SECONDS, "member")},
            unit="s",
            limits=red_from(10),
        ),
    ]


def _leadership() -> list[Any]:
    month = 'avg_over_time(scope:pgha_writable:bool{scope="$scope"}[30d])'
    return [
        verdict(
            "Writable, 30 days",
            "Share of the time in which a member accepted writes; needs the recording rules.",
            month,
            steps=[(None, looks.RED), (0.999, looks.ORANGE), (0.9995, looks.GREEN)],
            unit="percentunit",
        ),
        verdict(
            "Without a leader key, 30 days",
            "Seconds in which nobody held the lock, as the best observer counted them.",
            f"max(increase({scoped(n.LEADERLESS)}[30d]))",
            steps=looks.NEUTRAL,
            unit="s",
        ),
        verdict(
            "Scheduled switchover",
            "When it is due; `patronictl flush` takes it back.",
            f"{worst(n.SCHEDULED_SWITCHOVER)} > 0",
            steps=looks.NEUTRAL,
            unit="dateTimeFromNow",
            nothing="none",
        ),
        graph(
            "Leader changes per hour",
            "Failovers want a cause, switchovers had one; runbook PghaFailoverFlapping.",
            {"{{cause}}": f"max by (cause) (increase({scoped(n.LEADER_CHANGES)}[1h]))"},
            unit="none",
            height=4,
        ),
    ]


def _sources() -> Any:
    return timeline(
        "What the exporters can ask",
        "Red: the source did not answer that node; runbook PghaSourceFailing.",
        {"{{instance}} {{source}}": f"max by (instance, source) ({scoped(n.SOURCE_UP)})"},
        words=looks.UP,
        height=10,
    )


def _routes() -> Any:
    return timeline(
        "Routes through the public hostname",
        "From each server: rw must lead to the leader, ro to any member; runbook PghaRouteWrong.",
        {"{{instance}} {{route}}": f"max by (instance, route) ({scoped(n.ROUTE_OK)})"},
        words={"0": ("wrong", looks.RED), "1": ("right", looks.GREEN)},
        height=10,
    )


def _configuration() -> Any:
    info = scoped(n.CONFIG_INFO)
    hashes = ("dcs_hash", "hba_hash", "settings_hash")
    return board(
        "Configuration",
        "Two different hashes in one column are drift; runbook PghaConfigDrift.",
        {"member": "Member"},
        [
            Column(name.removesuffix("_hash"), f"max by (member, {name}) ({info})", label=name)
            for name in hashes
        ],
        width=12,
        nothing="no member reports",
    )


def _alerts() -> Any:
    firing = 'ALERTS{alertstate="firing",scope="$scope"}'
    return board(
        "Alerts that fire",
        "Each has a page in docs/runbooks.",
        {"alertname": "Alert", "severity": "Severity"},
        [Column("Count", f"count by (alertname, severity) ({firing})")],
        width=12,
        nothing="none",
    )
