"""The cluster as this node sees it."""

from __future__ import annotations

from pgha_exporter.names.metric import counter, gauge

BLOCKED_REASONS = ("unreachable", "nofailover", "watchdog", "lag", "timeline", "not_sync", "state")
CAUSES = ("switchover", "failover", "unknown")
LAG_STAGES = ("receive", "replay")

MEMBER_LAG_BYTES = gauge(
    "pgha_member_lag_bytes",
    "WAL that a member has yet to receive or to replay; 0 for the leader.",
    "member",
    "stage",
    view="shared",
    stage=LAG_STAGES,
)
MEMBER_LAG_SECONDS = gauge(
    "pgha_member_lag_seconds",
    "Age of the oldest WAL of the leader that a member has not replayed; 0 for the leader.",
    "member",
    view="shared",
)
MEMBER_PENDING_RESTART = gauge(
    "pgha_member_pending_restart",
    "1 when PostgreSQL of a member must be restarted for its settings.",
    "member",
    view="shared",
)
CLUSTER_MEMBERS = gauge("pgha_cluster_members", "Members registered in the cluster.", view="shared")
CLUSTER_MEMBERS_EXPECTED = gauge(
    "pgha_cluster_members_expected",
    "Members that the cluster should have: as configured, else the most ever seen.",
    view="shared",
)
CLUSTER_HAS_LEADER = gauge(
    "pgha_cluster_has_leader",
    "1 when the leader key exists: read with quorum from etcd, else as Patroni last knew.",
    view="shared",
)
CLUSTER_PAUSED = gauge(
    "pgha_cluster_paused", "1 when automatic failover is switched off.", view="shared"
)
CLUSTER_STANDBY = gauge(
    "pgha_cluster_standby", "1 when the cluster follows another one.", view="shared"
)
CLUSTER_TIMELINE = gauge(
    "pgha_cluster_timeline", "Timeline of the leader; absent without one.", view="shared"
)
CLUSTER_TTL = gauge("pgha_cluster_ttl_seconds", "Patroni's ttl.", view="shared")
CLUSTER_LOOP_WAIT = gauge("pgha_cluster_loop_wait_seconds", "Patroni's loop_wait.", view="shared")
CLUSTER_RETRY_TIMEOUT = gauge(
    "pgha_cluster_retry_timeout_seconds", "Patroni's retry_timeout.", view="shared"
)
CLUSTER_MAXIMUM_LAG = gauge(
    "pgha_cluster_maximum_lag_on_failover_bytes",
    "Patroni's maximum_lag_on_failover.",
    view="shared",
)
FAILOVER_CANDIDATES = gauge(
    "pgha_failover_candidates", "Replicas that could be promoted at this moment.", view="shared"
)
FAILOVER_BLOCKED = gauge(
    "pgha_failover_blocked",
    "1 when the reason keeps the member from being promoted; not for the leader.",
    "member",
    "reason",
    view="shared",
    reason=BLOCKED_REASONS,
)
SYNC_STANDBYS = gauge(
    "pgha_sync_standbys", "Synchronous standbys that stream at this moment.", view="shared"
)
SYNC_STANDBYS_REQUIRED = gauge(
    "pgha_sync_standbys_required",
    "Synchronous standbys that the configuration asks for; 0 when replication is asynchronous.",
    view="shared",
)
LEADER_CHANGES = counter(
    "pgha_leader_changes_total",
    "Changes of the leader seen since the exporter started, by cause.",
    "cause",
    view="shared",
    cause=CAUSES,
)
LAST_LEADER_CHANGE = gauge(
    "pgha_last_leader_change_timestamp_seconds",
    "When the leader last changed, by cause; 0 for never. Changes before the exporter's start come "
    "from Patroni's history and have the cause unknown.",
    "cause",
    view="shared",
    cause=CAUSES,
)
LEADERLESS = counter(
    "pgha_leaderless_seconds_total",
    "Seconds without a leader key seen since the exporter started.",
    view="shared",
)
SCHEDULED_SWITCHOVER = gauge(
    "pgha_scheduled_switchover_timestamp_seconds",
    "When a switchover is scheduled for; 0 for none.",
    view="shared",
)
LEADER_LEASE_REMAINING = gauge(
    "pgha_leader_lease_remaining_seconds",
    "Time until the leader's key expires unless it is renewed; all is well between ttl - loop_wait "
    "and ttl.",
    view="shared",
)
