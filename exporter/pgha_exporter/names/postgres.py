"""PostgreSQL on this node, its WAL directory and the archive."""

from __future__ import annotations

from pgha_exporter.names.metric import gauge

POSTGRES_UP = gauge(
    "pgha_postgres_up", "1 when this node's PostgreSQL answered a query in time.", "member"
)
POSTGRES_WRITABLE = gauge(
    "pgha_postgres_writable",
    "1 when PostgreSQL is up, not in recovery and not read-only; 0 when it is down.",
    "member",
)
POSTGRES_IN_RECOVERY = gauge(
    "pgha_postgres_in_recovery", "1 when PostgreSQL replays WAL; absent when it is down.", "member"
)
POSTGRES_START = gauge(
    "pgha_postgres_start_timestamp_seconds", "When PostgreSQL was started.", "member"
)
POSTGRES_TIMELINE = gauge(
    "pgha_postgres_timeline", "Timeline that PostgreSQL is on; absent when it is down.", "member"
)
POSTGRES_CONNECTIONS = gauge(
    "pgha_postgres_connections", "Client connections to PostgreSQL.", "member"
)
POSTGRES_MAX_CONNECTIONS = gauge(
    "pgha_postgres_max_connections", "PostgreSQL's max_connections.", "member"
)
WAL_DIRECTORY = gauge(
    "pgha_wal_directory_bytes", "Size of the WAL directory; looked at once a minute.", "member"
)
ARCHIVE_READY = gauge(
    "pgha_archive_ready_segments",
    "WAL segments waiting to be archived; looked at once a minute. Only with archiving on.",
    "member",
)
ARCHIVE_LAST_SUCCESS = gauge(
    "pgha_archive_last_success_timestamp_seconds",
    "When a WAL segment was last archived; 0 for never. Only with archiving on.",
    "member",
)
ARCHIVE_LAST_FAILURE = gauge(
    "pgha_archive_last_failure_timestamp_seconds",
    "When archiving a WAL segment last failed; 0 for never. Only with archiving on.",
    "member",
)
