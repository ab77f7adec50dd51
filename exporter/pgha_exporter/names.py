"""Every metric that the exporter publishes: name, type, meaning, labels, unit.

The one source of metric names: collectors take their families from here, and rules, dashboards and
tests check against it, so that nothing can ask for a metric that does not exist.

Conventions (https://prometheus.io/docs/practices/naming/):

- every metric has the label ``scope`` (Patroni's name of the cluster) besides those listed;
- ``member`` is in the labels where the fact is about one member of the cluster;
- a moment is a Unix timestamp in seconds, never an age; 0 means "never";
- a decision (``writable``, ``lock_held``, ``has_quorum``, ``route_ok``, ``*_up``) is always there,
  as 0 or 1; a fact that is unknown at this moment is absent, never an old value;
- a state set is one gauge per possible state, 1 for the present one and 0 for the others. All are
  there together; when the state is unknown, all are absent.

Seen by: ``own`` metrics describe the node that the exporter runs on, so there is one of each in a
cluster; ``shared`` metrics describe the cluster as that node sees it, so every exporter publishes
them: aggregate with ``max by (scope, ...)`` or ``min by (scope, ...)`` before comparing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["gauge", "counter", "info", "stateset", "histogram"]
View = Literal["own", "shared"]

Values = tuple[str, ...]

SCOPE = "scope"

SOURCES = ("patroni", "postgres", "etcd", "route", "files", "backup")
"""``files`` are certificates and file systems; ``backup`` exists on the controller only."""
ERROR_REASONS = ("timeout", "refused", "tls", "auth", "protocol", "busy")
ROLES = ("leader", "standby_leader", "sync_standby", "quorum_standby", "replica", "none")
"""``none``: PostgreSQL is down, so it has no role."""
POSTGRES_STATES = (
    "initdb",
    "initdb_failed",
    "custom_bootstrap",
    "custom_bootstrap_failed",
    "creating_replica",
    "running",
    "starting",
    "bootstrap_starting",
    "start_failed",
    "restarting",
    "restart_failed",
    "stopping",
    "stopped",
    "stop_failed",
    "crashed",
    "unknown",
)
"""Patroni's PostgresqlState with underscores for blanks (patroni/postgresql/misc.py)."""
BLOCKED_REASONS = ("unreachable", "nofailover", "watchdog", "lag", "timeline", "not_sync", "state")
CAUSES = ("switchover", "failover", "unknown")
LAG_STAGES = ("receive", "replay")
WAL_POSITIONS = ("current", "receive", "replay")
SLOT_STATUSES = ("reserved", "extended", "unreserved", "lost")
ETCD_OPERATIONS = ("linearizable_read", "status")
ETCD_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
ALARMS = ("nospace", "corrupt")
ROUTES = ("rw", "ro")
VOLUMES = ("data", "wal")
BACKUP_KINDS = ("full", "diff", "incr")


@dataclass(frozen=True)
class Metric:
    """One metric of the catalogue.

    Attributes:
        name: as in a query, ``_total`` and ``_info`` included; a histogram's without ``_bucket``.
        kind: what it means; an info and a state set are gauges in the exposition.
        help: one line.
        labels: besides ``scope``.
        unit: ``seconds``, ``bytes`` or empty.
        view: ``own`` or ``shared``, as in the module's text.
        values: the values that a label can have, where they are known beforehand.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    view: View = "own"
    values: dict[str, Values] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        stem = self.name.removesuffix("_total")
        return next((unit for unit in ("seconds", "bytes") if stem.endswith(f"_{unit}")), "")

    @property
    def all_labels(self) -> tuple[str, ...]:
        """``scope`` and the others, in the order of the samples."""
        return (SCOPE, *self.labels)


def _gauge(name: str, text: str, *labels: str, view: View = "own", **values: Values) -> Metric:
    return _metric("gauge", name, text, labels, view, values)


def _counter(name: str, text: str, *labels: str, view: View = "own", **values: Values) -> Metric:
    return _metric("counter", name, text, labels, view, values)


def _info(name: str, text: str, *labels: str) -> Metric:
    return _metric("info", name, text, labels, "own", {})


def _stateset(name: str, text: str, *labels: str, **values: Values) -> Metric:
    return _metric("stateset", name, text, labels, "own", values)


def _metric(
    kind: Kind, name: str, text: str, labels: tuple[str, ...], view: View, values: dict[str, Values]
) -> Metric:
    return Metric(name, kind, text, labels, view, values)


# The exporter itself
BUILD_INFO = _info("pgha_build_info", "The exporter's version and its Python.", "version", "python")
NODE_INFO = _info(
    "pgha_node_info",
    "What runs on this node.",
    "member",
    "patroni_version",
    "postgres_version",
    "system_identifier",
)
SOURCE_UP = _gauge(
    "pgha_source_up",
    "1 when the last question to the source was answered in time. Only sources that this node has.",
    "source",
    source=SOURCES,
)
SOURCE_LAST_SUCCESS = _gauge(
    "pgha_source_last_success_timestamp_seconds",
    "When the source last answered; 0 for never.",
    "source",
    source=SOURCES,
)
SOURCE_DURATION = _gauge(
    "pgha_source_duration_seconds",
    "How long the last question to the source took.",
    "source",
    source=SOURCES,
)
SOURCE_ERRORS = _counter(
    "pgha_source_errors_total",
    "Questions to the source that failed, by reason.",
    "source",
    "reason",
    source=SOURCES,
    reason=ERROR_REASONS,
)
SOURCE_STUCK = _gauge(
    "pgha_source_stuck_seconds",
    "Age of a question that the source has not answered yet and is past its deadline; else 0.",
    "source",
    source=SOURCES,
)
COLLECTIONS = _counter(
    "pgha_collections_total", "Times that the sources were asked; at most once per second."
)
SCRAPES = _counter("pgha_scrapes_total", "Answered requests for the metrics.")

# PostgreSQL on this node
POSTGRES_UP = _gauge(
    "pgha_postgres_up", "1 when this node's PostgreSQL answered a query in time.", "member"
)
POSTGRES_WRITABLE = _gauge(
    "pgha_postgres_writable",
    "1 when PostgreSQL is up, not in recovery and not read-only; 0 when it is down.",
    "member",
)
POSTGRES_IN_RECOVERY = _gauge(
    "pgha_postgres_in_recovery", "1 when PostgreSQL replays WAL; absent when it is down.", "member"
)
POSTGRES_START = _gauge(
    "pgha_postgres_start_timestamp_seconds", "When PostgreSQL was started.", "member"
)
POSTGRES_TIMELINE = _gauge(
    "pgha_postgres_timeline", "Timeline that PostgreSQL is on; absent when it is down.", "member"
)
POSTGRES_CONNECTIONS = _gauge(
    "pgha_postgres_connections", "Client connections to PostgreSQL.", "member"
)
POSTGRES_MAX_CONNECTIONS = _gauge(
    "pgha_postgres_max_connections", "PostgreSQL's max_connections.", "member"
)
POSTGRES_STATE = _stateset(
    "pgha_postgres_state",
    "State of PostgreSQL as Patroni reports it.",
    "member",
    "state",
    state=POSTGRES_STATES,
)
ROLE = _stateset("pgha_role", "Role of this node in the cluster.", "member", "role", role=ROLES)
LEADER_LOCK_HELD = _gauge(
    "pgha_leader_lock_held",
    "1 when the leader key names this node: read with quorum from etcd, else as Patroni last knew.",
    "member",
)
WAL_POSITION = _gauge(
    "pgha_wal_position_bytes",
    "WAL position: current on a leader, receive and replay on a replica.",
    "member",
    "position",
    position=WAL_POSITIONS,
)
WAL_RECEIVER_STREAMING = _gauge(
    "pgha_wal_receiver_streaming",
    "1 when a replica's WAL receiver streams; only in recovery.",
    "member",
)
WAL_RECEIVER_LAST_MESSAGE = _gauge(
    "pgha_wal_receiver_last_message_timestamp_seconds",
    "When the WAL receiver last heard from its sender; an idle cluster sends every 30 s.",
    "member",
)
REPLAY_PAUSED = _gauge(
    "pgha_replay_paused", "1 when WAL replay is paused; only in recovery.", "member"
)
SLOT_ACTIVE = _gauge(
    "pgha_slot_active", "1 when a client uses the replication slot.", "member", "slot"
)
SLOT_RETAINED = _gauge(
    "pgha_slot_retained_bytes", "WAL that the replication slot keeps.", "member", "slot"
)
SLOT_SAFE_WAL = _gauge(
    "pgha_slot_safe_wal_bytes",
    "WAL that can still be written before the slot is lost; absent without max_slot_wal_keep_size.",
    "member",
    "slot",
)
SLOT_INACTIVE_SINCE = _gauge(
    "pgha_slot_inactive_since_timestamp_seconds",
    "Since when the slot is unused; 0 while it is used. PostgreSQL 17 and later.",
    "member",
    "slot",
)
SLOT_WAL_STATUS = _stateset(
    "pgha_slot_wal_status",
    "Whether the WAL that the slot needs is still there.",
    "member",
    "slot",
    "status",
    status=SLOT_STATUSES,
)
SLOTS_OMITTED = _gauge(
    "pgha_slots_omitted", "Replication slots beyond the 50 that are published.", "member"
)
WAL_DIRECTORY = _gauge(
    "pgha_wal_directory_bytes", "Size of the WAL directory; looked at once a minute.", "member"
)
ARCHIVE_READY = _gauge(
    "pgha_archive_ready_segments",
    "WAL segments waiting to be archived; looked at once a minute. Only with archiving on.",
    "member",
)
ARCHIVE_LAST_SUCCESS = _gauge(
    "pgha_archive_last_success_timestamp_seconds",
    "When a WAL segment was last archived; 0 for never. Only with archiving on.",
    "member",
)
ARCHIVE_LAST_FAILURE = _gauge(
    "pgha_archive_last_failure_timestamp_seconds",
    "When archiving a WAL segment last failed; 0 for never. Only with archiving on.",
    "member",
)
CONFIG_INFO = _info(
    "pgha_config_info",
    "Hashes of the dynamic configuration, the rules of pg_hba.conf and the running settings that "
    "every member must share; more than one of a kind in a cluster is drift.",
    "member",
    "dcs_hash",
    "hba_hash",
    "settings_hash",
)

# Patroni on this node
FAILSAFE_ACTIVE = _gauge(
    "pgha_failsafe_active", "1 when Patroni runs without etcd in failsafe mode.", "member"
)
WATCHDOG_FAILED = _gauge(
    "pgha_watchdog_failed", "1 when Patroni could not arm its watchdog.", "member"
)
PENDING_RESTART_SETTINGS = _gauge(
    "pgha_pending_restart_settings",
    "Settings of this node that wait for a restart of PostgreSQL.",
    "member",
)

# The cluster as this node sees it
MEMBER_LAG_BYTES = _gauge(
    "pgha_member_lag_bytes",
    "WAL that a member has yet to receive or to replay; 0 for the leader.",
    "member",
    "stage",
    view="shared",
    stage=LAG_STAGES,
)
MEMBER_LAG_SECONDS = _gauge(
    "pgha_member_lag_seconds",
    "Age of the oldest WAL of the leader that a member has not replayed; 0 for the leader.",
    "member",
    view="shared",
)
MEMBER_PENDING_RESTART = _gauge(
    "pgha_member_pending_restart",
    "1 when PostgreSQL of a member must be restarted for its settings.",
    "member",
    view="shared",
)
CLUSTER_MEMBERS = _gauge(
    "pgha_cluster_members", "Members registered in the cluster.", view="shared"
)
CLUSTER_MEMBERS_EXPECTED = _gauge(
    "pgha_cluster_members_expected",
    "Members that the cluster should have: as configured, else the most ever seen.",
    view="shared",
)
CLUSTER_HAS_LEADER = _gauge(
    "pgha_cluster_has_leader",
    "1 when the leader key exists: read with quorum from etcd, else as Patroni last knew.",
    view="shared",
)
CLUSTER_PAUSED = _gauge(
    "pgha_cluster_paused", "1 when automatic failover is switched off.", view="shared"
)
CLUSTER_STANDBY = _gauge(
    "pgha_cluster_standby", "1 when the cluster follows another one.", view="shared"
)
CLUSTER_TIMELINE = _gauge(
    "pgha_cluster_timeline", "Timeline of the leader; absent without one.", view="shared"
)
CLUSTER_TTL = _gauge("pgha_cluster_ttl_seconds", "Patroni's ttl.", view="shared")
CLUSTER_LOOP_WAIT = _gauge("pgha_cluster_loop_wait_seconds", "Patroni's loop_wait.", view="shared")
CLUSTER_RETRY_TIMEOUT = _gauge(
    "pgha_cluster_retry_timeout_seconds", "Patroni's retry_timeout.", view="shared"
)
CLUSTER_MAXIMUM_LAG = _gauge(
    "pgha_cluster_maximum_lag_on_failover_bytes",
    "Patroni's maximum_lag_on_failover.",
    view="shared",
)
FAILOVER_CANDIDATES = _gauge(
    "pgha_failover_candidates", "Replicas that could be promoted at this moment.", view="shared"
)
FAILOVER_BLOCKED = _gauge(
    "pgha_failover_blocked",
    "1 when the reason keeps the member from being promoted; not for the leader.",
    "member",
    "reason",
    view="shared",
    reason=BLOCKED_REASONS,
)
SYNC_STANDBYS = _gauge(
    "pgha_sync_standbys", "Synchronous standbys that stream at this moment.", view="shared"
)
SYNC_STANDBYS_REQUIRED = _gauge(
    "pgha_sync_standbys_required",
    "Synchronous standbys that the configuration asks for; 0 when replication is asynchronous.",
    view="shared",
)
LEADER_CHANGES = _counter(
    "pgha_leader_changes_total",
    "Changes of the leader seen since the exporter started, by cause.",
    "cause",
    view="shared",
    cause=CAUSES,
)
LAST_LEADER_CHANGE = _gauge(
    "pgha_last_leader_change_timestamp_seconds",
    "When the leader last changed, by cause; 0 for never. Changes before the exporter's start come "
    "from Patroni's history and have the cause unknown.",
    "cause",
    view="shared",
    cause=CAUSES,
)
LEADERLESS = _counter(
    "pgha_leaderless_seconds_total",
    "Seconds without a leader key seen since the exporter started.",
    view="shared",
)
SCHEDULED_SWITCHOVER = _gauge(
    "pgha_scheduled_switchover_timestamp_seconds",
    "When a switchover is scheduled for; 0 for none.",
    view="shared",
)
LEADER_LEASE_REMAINING = _gauge(
    "pgha_leader_lease_remaining_seconds",
    "Time until the leader's key expires unless it is renewed; all is well between ttl - loop_wait "
    "and ttl.",
    view="shared",
)

# etcd as this node sees it
ETCD_HAS_QUORUM = _gauge(
    "pgha_etcd_has_quorum", "1 when this node could read with quorum in time.", view="shared"
)
ETCD_REQUEST_DURATION = _metric(
    "histogram",
    "pgha_etcd_request_duration_seconds",
    "How long etcd took to answer this node, by operation.",
    ("op",),
    "own",
    {"op": ETCD_OPERATIONS},
)
ETCD_VOTERS = _gauge("pgha_etcd_voters", "Voting members of etcd.", view="shared")
ETCD_HEALTHY_VOTERS = _gauge(
    "pgha_etcd_healthy_voters",
    "Voting members of etcd that answer this node and follow a leader.",
    view="shared",
)
ETCD_FAILURE_TOLERANCE = _gauge(
    "pgha_etcd_failure_tolerance",
    "Healthy voters above the quorum: 0 means that the next loss stops etcd; negative is lost.",
    view="shared",
)
ETCD_MEMBER_UP = _gauge(
    "pgha_etcd_member_up",
    "1 when the member of etcd answered this node in time.",
    "etcd_member",
    view="shared",
)
ETCD_MEMBER_IS_LEADER = _gauge(
    "pgha_etcd_member_is_leader",
    "1 when the member leads etcd; absent when it does not answer.",
    "etcd_member",
    view="shared",
)
ETCD_MEMBER_IS_LEARNER = _gauge(
    "pgha_etcd_member_is_learner", "1 when the member has no vote.", "etcd_member", view="shared"
)
ETCD_DB_SIZE = _gauge(
    "pgha_etcd_db_size_bytes",
    "Size of the member's database file.",
    "etcd_member",
    view="shared",
)
ETCD_DB_IN_USE = _gauge(
    "pgha_etcd_db_in_use_bytes", "What of that file is in use.", "etcd_member", view="shared"
)
ETCD_DB_QUOTA = _gauge(
    "pgha_etcd_db_quota_bytes",
    "Size of the database at which etcd stops to accept writes.",
    "etcd_member",
    view="shared",
)
ETCD_RAFT_APPLIED_LAG = _gauge(
    "pgha_etcd_raft_applied_lag",
    "Committed entries of the raft log that the member has not applied.",
    "etcd_member",
    view="shared",
)
ETCD_ALARM = _gauge(
    "pgha_etcd_alarm",
    "1 when the member raised the alarm.",
    "etcd_member",
    "alarm",
    view="shared",
    alarm=ALARMS,
)

# The server
FILESYSTEM_AVAIL = _gauge(
    "pgha_filesystem_avail_bytes",
    "Free space for PostgreSQL on the file system of the volume.",
    "member",
    "volume",
    volume=VOLUMES,
)
FILESYSTEM_SIZE = _gauge(
    "pgha_filesystem_size_bytes",
    "Size of the file system of the volume.",
    "member",
    "volume",
    volume=VOLUMES,
)
CERTIFICATE_NOT_AFTER = _gauge(
    "pgha_certificate_not_after_timestamp_seconds",
    "End of validity of a certificate of this node; use is the name of its file without suffix, or "
    "served-<port> for what a port on this node presents.",
    "member",
    "use",
)
ROUTE_OK = _gauge(
    "pgha_route_ok",
    "1 when a connection through the public hostname reaches a server of this cluster in the right "
    "role: rw the writable leader, ro any answering member.",
    "route",
    view="own",
    route=ROUTES,
)
ROUTE_DURATION = _gauge(
    "pgha_route_duration_seconds",
    "How long the route took to connect and answer; absent when it failed.",
    "route",
    view="own",
    route=ROUTES,
)

# Backups, on the controller
BACKUP_LAST_SUCCESS = _gauge(
    "pgha_backup_last_success_timestamp_seconds",
    "When the last good backup of the kind ended; 0 for never.",
    "kind",
    kind=BACKUP_KINDS,
)
BACKUP_LAST_VERIFIED = _gauge(
    "pgha_backup_last_verified_timestamp_seconds",
    "When a backup of the kind was last restored as a test; 0 for never.",
    "kind",
    kind=BACKUP_KINDS,
)

METRICS: dict[str, Metric] = {
    value.name: value for value in list(globals().values()) if isinstance(value, Metric)
}
"""All of them by name, in the order above."""


def series_names(metric: Metric) -> tuple[str, ...]:
    """The names that a query can use: three for a histogram, one for all else."""
    if metric.kind == "histogram":
        return tuple(f"{metric.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))
    return (metric.name,)
