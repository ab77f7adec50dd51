"""Loading a backup into a PostgreSQL and counting what arrived, for a test and for real."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pgha.backup.adapt import Adapter
from pgha.backup.check import Checked
from pgha.backup.dump import ALWAYS_THERE, GLOBALS, Say, amount
from pgha.backup.gzipped import blocks
from pgha.backup.manifest import Manifest
from pgha.backup.names import database_folder
from pgha.backup.snapshot import TABLES
from pgha.backup.tools import output, run, stream_in
from pgha.errors import FailedError

QUERY_TIMEOUT_S = 3600
"""A count reads a table once."""

ROLES = "SELECT json_build_array(rolname) FROM pg_catalog.pg_roles"
LOCALES = (
    "SELECT DISTINCT jsonb_build_array(collcollate) FROM pg_collation WHERE collprovider = 'c'"
)
DATABASES = "SELECT json_build_array(datname) FROM pg_database WHERE datallowconn"
_COUNTS = f"""
SELECT format('SELECT json_build_array(%L, count(*)) FROM ONLY %I.%I', t.s || '.' || t.r, t.s, t.r)
  FROM ({TABLES}) AS t (s, r)
"""  # noqa: S608 - both are constants

Counts = dict[str, dict[str, int]]


class Target(Protocol):
    """A PostgreSQL to restore into, through tools in containers."""

    def command(self, tool: list[str], *, interactive: bool = False) -> list[str]:
        """The command line that runs a tool there."""
        ...

    def conninfo(self, database: str) -> str:
        """A connection string for the tool; no secret in it."""
        ...


@dataclass(frozen=True)
class Loaded:
    """What was restored: rows by database and table, and what had to be changed on the way."""

    rows: Counts
    notes: list[str]

    @property
    def row_count(self) -> int:
        return sum(sum(tables.values()) for tables in self.rows.values())


BACKUP_FOLDER = "/run/backup"
"""Where the tools find a directory backup."""


def load(target: Target, checked: Checked, say: Say) -> Loaded:
    """Restore everything into a fresh cluster, count it and compare it with the manifest.

    Raises:
        ToolError: the first statement that failed.
        FailedError: something is missing, or is too much.
    """
    adapter = Adapter(set(ask(target, ROLES)), {"C", "POSIX", *ask(target, LOCALES)})
    if checked.is_directory:
        _load_directory(target, checked, adapter, say)
    else:
        _psql(target, adapter.stream(_told(blocks(checked.path), say)))
    say("counting rows")
    rows = {name: counts(target, name) for name in ask(target, DATABASES)}
    if checked.manifest:
        require_same(checked.manifest, rows)
    return Loaded(rows, adapter.notes)


def ask(target: Target, query: str, database: str = "postgres") -> list[Any]:
    """The first value of each row of a query that makes JSON arrays."""
    return [row[0] for row in _rows(target, database, query + ";")]


def counts(target: Target, database: str) -> dict[str, int]:
    """``{"schema.table": rows}`` of a database, counted now."""
    return {name: int(rows) for name, rows in _rows(target, database, _COUNTS + "\\gexec")}


def require_same(manifest: Manifest, rows: Counts) -> None:
    """Every table of the manifest has as many rows, and there is no further one.

    Raises:
        FailedError: naming the first differences.
    """
    found = differences(manifest, rows)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise FailedError(
            f"What was restored is not what the manifest of {manifest.name} says: "
            f"{'; '.join(found[:3])}{more}. Use another backup."
        )


def differences(manifest: Manifest, rows: Counts) -> list[str]:
    """A short text per table that differs, in order."""
    wanted = {name: part.rows for name, part in manifest.databases.items()}
    found = []
    for database in sorted({*wanted, *rows}):
        expected, actual = wanted.get(database, {}), rows.get(database, {})
        for table in sorted({*expected, *actual}):
            if expected.get(table) != actual.get(table):
                found.append(
                    f"{database}: {table} has {_number(actual.get(table))}, "
                    f"expected {_number(expected.get(table))}"
                )
    return found


def _number(rows: int | None) -> str:
    return "no such table" if rows is None else f"{rows} rows"


def _rows(target: Target, database: str, script: str) -> Iterable[list[Any]]:
    tool = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", target.conninfo(database), "-f", "-"]
    command = target.command(tool, interactive=True)
    text = output(command, timeout_s=QUERY_TIMEOUT_S, stdin=script)
    return [json.loads(line) for line in text.splitlines() if line]


def _psql(target: Target, statements: Iterable[bytes]) -> None:
    tool = ["psql", "-Xq", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1"]
    command = target.command([*tool, "-d", target.conninfo("postgres")], interactive=True)
    stream_in(command, statements)


def _load_directory(target: Target, checked: Checked, adapter: Adapter, say: Say) -> None:
    assert checked.manifest is not None
    _psql(target, adapter.stream([(checked.path / GLOBALS).read_bytes()]))
    jobs = str(os.cpu_count() or 1)
    for name in checked.manifest.databases:
        say(f"database {name}")
        create = [] if name in ALWAYS_THERE else ["--create"]
        first = name if name in ALWAYS_THERE else "postgres"
        tool = ["pg_restore", "--exit-on-error", "--jobs", jobs, *create]
        tool += ["--dbname", target.conninfo(first), f"{BACKUP_FOLDER}/{database_folder(name)}"]
        run(target.command(tool))


def _told(source: Iterator[bytes], say: Say) -> Iterator[bytes]:
    read = 0
    for block in source:
        read += len(block)
        say(f"{amount(read)} restored")
        yield block


def summary(rows: Mapping[str, Mapping[str, int]]) -> str:
    """``5310 rows in 12 tables of 3 databases``."""
    tables = sum(len(part) for part in rows.values())
    total = sum(sum(part.values()) for part in rows.values())
    return f"{total} rows in {tables} tables of {len(rows)} databases"
