"""State and role of this node, its Patroni, and hashes of its configuration."""

from __future__ import annotations

from pgha_exporter.names.metric import gauge, info, stateset

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

POSTGRES_STATE = stateset(
    "pgha_postgres_state",
    "State of PostgreSQL as Patroni reports it.",
    "member",
    "state",
    state=POSTGRES_STATES,
)
ROLE = stateset("pgha_role", "Role of this node in the cluster.", "member", "role", role=ROLES)
LEADER_LOCK_HELD = gauge(
    "pgha_leader_lock_held",
    "1 when the leader key names this node: read with quorum from etcd, else as Patroni last knew.",
    "member",
)
FAILSAFE_ACTIVE = gauge(
    "pgha_failsafe_active", "1 when Patroni runs without etcd in failsafe mode.", "member"
)
WATCHDOG_FAILED = gauge(
    "pgha_watchdog_failed", "1 when Patroni could not arm its watchdog.", "member"
)
PENDING_RESTART_SETTINGS = gauge(
    "pgha_pending_restart_settings",
    "Settings of this node that wait for a restart of PostgreSQL.",
    "member",
)
CONFIG_INFO = info(
    "pgha_config_info",
    "Hashes of the dynamic configuration, the rules of pg_hba.conf and the running settings that "
    "every member must share; more than one of a kind in a cluster is drift.",
    "member",
    "dcs_hash",
    "hba_hash",
    "settings_hash",
)
