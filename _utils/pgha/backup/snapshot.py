"""One database's snapshot: exported for pg_dump, and counted in, so that both see the same rows.

The session stays open until the dump has ended. pg_export_snapshot works on replicas too
(PostgreSQL documentation 9.27.5; pg_dump's own parallel mode relies on it).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pgha.backup.access import Access
from pgha.errors import UnreachableError
from pgha.pg.session import Watchdog

ANSWER_TIMEOUT_S = 60.0
"""For what takes moments on a server that lives; the size of a database is read file by file."""

Connection = psycopg.Connection[tuple[Any, ...]]

# What a dump carries rows of: permanent ordinary tables, partitions one by one. Not of extensions'
# own tables, nor of unlogged ones, which a replica cannot read and a crash empties.
TABLES = """
SELECT n.nspname::text, c.relname::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p'
   AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
 ORDER BY 1, 2
"""

DATABASES = """
SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn
 ORDER BY datname <> 'template1', datname
"""

_FACTS = """
SELECT pg_export_snapshot(), pg_database_size(current_database()), pg_is_in_recovery(),
       current_setting('server_version'),
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            ELSE pg_current_wal_lsn() END::text
"""

_SIZES = """
SELECT datname::text, pg_database_size(oid) FROM pg_catalog.pg_database WHERE datallowconn
"""


@dataclass(frozen=True)
class Snapshot:
    """An exported snapshot; valid while its session lives."""

    id: str
    size_bytes: int
    in_recovery: bool
    version: str
    lsn: str
    _connection: Connection

    def count_rows(self) -> dict[str, int]:
        """``{"schema.table": rows}`` in this snapshot; reads every table once."""
        return count_rows(self._connection)

    def abort(self) -> None:
        """End whatever the session waits for, also when the server does not answer any more."""
        with suppress(OSError, psycopg.Error):
            copy = socket.socket(fileno=os.dup(self._connection.fileno()))
            with copy:
                copy.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Cluster:
    """What a source holds: its version and each database's size in bytes."""

    version: str
    sizes: dict[str, int]
    databases: tuple[str, ...]


def look(access: Access) -> Cluster:
    """What there is to dump; template1 first, as pg_dumpall does."""
    with open_session(access, "postgres") as connection, Watchdog(connection, ANSWER_TIMEOUT_S):
        sizes = dict(connection.execute(_SIZES).fetchall())
        names = [row[0] for row in connection.execute(DATABASES).fetchall()]
        version = connection.execute("SHOW server_version").fetchone()
    assert version is not None
    return Cluster(str(version[0]).split(" ")[0], sizes, tuple(names))


@contextmanager
def exported(access: Access, database: str) -> Iterator[Snapshot]:
    """A snapshot of one database for the block.

    Raises:
        UnreachableError: the source cannot be reached or went away.
    """
    with open_session(access, database) as connection:
        with Watchdog(connection, ANSWER_TIMEOUT_S):
            row = connection.execute(_FACTS).fetchone()
        assert row is not None
        snapshot_id, size, in_recovery, version, lsn = row
        yield Snapshot(snapshot_id, size, in_recovery, version.split(" ")[0], lsn, connection)


@contextmanager
def open_session(access: Access, database: str) -> Iterator[Connection]:
    """A read-only session whose whole block is one snapshot; nothing is ever committed."""
    try:
        with psycopg.connect(**access.for_driver(database)) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection
            connection.rollback()
    except psycopg.Error as error:
        raise lost(access, error) from error


def count_rows(connection: Connection) -> dict[str, int]:
    """``{"schema.table": rows}`` of every table whose rows a dump carries."""
    counted = {}
    for schema, table in connection.execute(TABLES).fetchall():
        statement = sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema, table))
        row = connection.execute(statement).fetchone()
        assert row is not None
        counted[f"{schema}.{table}"] = int(row[0])
    return counted


def lost(access: Access, error: psycopg.Error) -> UnreachableError:
    """The sentence of a session that could not be opened or broke."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = error.diag.message_primary or (lines[0] if lines else "no reason given")
    return UnreachableError(
        f"{access.source} cannot be read as superuser: {reason.rstrip('.')}; see "
        "`pgha-logs patroni` there."
    )
