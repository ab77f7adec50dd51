"""What one PostgreSQL says of itself."""

from __future__ import annotations

import time
from typing import Any

from pgha.errors import RefusedError
from pgha.pg.session import Connection, session
from pgha.pg.settings import ConnectSettings

_FACTS = """
SELECT pg_is_in_recovery(), current_setting('server_version'),
       pg_postmaster_start_time()::text, inet_server_addr()::text,
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            ELSE pg_current_wal_lsn() END::text
"""

_LAGS = """
SELECT application_name, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)
  FROM pg_stat_replication WHERE state = 'streaming'
"""

_SETTINGS = "SELECT name, setting, unit FROM pg_settings WHERE name = ANY(%s)"
_CONTEXTS = "SELECT name, setting, context FROM pg_settings WHERE name = ANY(%s)"


def server_facts(settings: ConnectSettings) -> dict[str, Any]:
    """Keys: in_recovery, version, postmaster_start_time, server_ip (None on a socket), lsn."""
    with session(settings) as connection:
        row = connection.execute(_FACTS).fetchone()
    assert row is not None
    names = ("in_recovery", "version", "postmaster_start_time", "server_ip", "lsn")
    return dict(zip(names, row, strict=True))


def effective_settings(
    settings: ConnectSettings, names: list[str]
) -> dict[str, tuple[str, str | None]]:
    """``{name: (value, unit)}`` as the server runs now; unknown names are left out."""
    with session(settings) as connection:
        rows = connection.execute(_SETTINGS, (names,)).fetchall()
    return {name: (value, unit) for name, value, unit in rows}


def setting_contexts(settings: ConnectSettings, names: list[str]) -> dict[str, tuple[str, str]]:
    """``{name: (value, context)}``; context ``postmaster`` is what needs a restart.

    https://www.postgresql.org/docs/current/view-pg-settings.html
    """
    with session(settings) as connection:
        rows = connection.execute(_CONTEXTS, (names,)).fetchall()
    return {name: (value, context) for name, value, context in rows}


def replica_lags(settings: ConnectSettings) -> dict[str, int | None]:
    """``{member: bytes that it has not replayed}`` of every replica that streams from a leader.

    None while a replica has not reported yet. etcd's figures are up to ``loop_wait`` old for each
    member, which on a busy cluster looks like a lag that nobody has.
    """
    with session(settings) as connection:
        rows = connection.execute(_LAGS).fetchall()
    return {name: None if lag is None else int(lag) for name, lag in rows}


def checkpoint(settings: ConnectSettings) -> float:
    """Write every changed page to disk, as a superuser; returns the seconds it took."""
    started = time.monotonic()
    with session(settings, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    return time.monotonic() - started


def require_leader(connection: Connection, settings: ConnectSettings) -> None:
    """Refuse to go on at a replica, where every write would fail.

    Raises:
        RefusedError: the server is in recovery.
    """
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if row and row[0]:
        raise RefusedError(
            f"{settings.source} is a replica; run this on the leader, which `patroni.leader` names."
        )
