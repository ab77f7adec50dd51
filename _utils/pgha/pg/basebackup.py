"""What a server says about the base backups that others take from it."""

from __future__ import annotations

from dataclasses import dataclass

from pgha.pg.session import session
from pgha.pg.settings import ConnectSettings

# https://www.postgresql.org/docs/current/progress-reporting.html#BASEBACKUP-PROGRESS-REPORTING
_PROGRESS = """
SELECT sum(p.backup_streamed)::bigint, sum(p.backup_total)::bigint
  FROM pg_stat_progress_basebackup p JOIN pg_stat_activity a USING (pid)
 WHERE a.client_addr = %s::inet
"""
_SIZE = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database"


@dataclass(frozen=True)
class Copy:
    """Bytes sent so far and estimated altogether; both None when nothing is being copied."""

    copied: int | None = None
    total: int | None = None


def copy_for(settings: ConnectSettings, client_ip: str) -> Copy:
    """The base backup that a server sends to an address."""
    with session(settings) as connection:
        row = connection.execute(_PROGRESS, (client_ip,)).fetchone()
    return Copy(*row) if row else Copy()


def databases_size(settings: ConnectSettings) -> int:
    """Bytes of all databases, WAL not included."""
    with session(settings) as connection:
        row = connection.execute(_SIZE).fetchone()
    return int(row[0] or 0) if row else 0
