"""What this node's PostgreSQL says, over one persistent connection.

``statement_timeout`` needs a living server and a socket read waits without a limit, so at the
deadline the source cuts the connection by shutting its socket down (`abort`); the next question
opens a new one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import tuple_row

from pgha_exporter import queries
from pgha_exporter.errors import SourceError

SLOW_S = 60.0
LOOPBACK = ("127.0.0.1", "::1", "samehost", "localhost")
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Slot:
    """One replication slot; bytes, Unix time, None where PostgreSQL says nothing."""

    name: str
    active: bool
    retained: float | None
    safe: float | None
    status: str | None
    inactive_since: float | None


@dataclass(frozen=True)
class Slow:
    """What is asked once a minute."""

    wal_directory: float | None = None
    archive_ready: int | None = None
    settings_hash: str = ""
    hba_hash: str = ""


@dataclass(frozen=True)
class PostgresFacts:
    """One look at PostgreSQL. LSNs in bytes, moments as Unix time, None for what is not there."""

    in_recovery: bool
    read_only: bool
    timeline: int | None
    current: int | None
    received: int | None
    replayed: int | None
    replay_paused: bool | None
    started_at: float
    version: str
    system_identifier: str
    connections: int
    max_connections: int
    streaming: bool | None
    last_message: float | None
    slots: tuple[Slot, ...]
    slots_omitted: int
    archived_at: float | None
    archive_failed_at: float | None
    slow: Slow

    @property
    def writable(self) -> bool:
        return not self.in_recovery and not self.read_only


class PostgresCollector:
    """The source ``postgres``.

    Args:
        dsn: a libpq connection string without password.
        password_file: read at each new connection, so a changed password needs no restart.
    """

    def __init__(self, dsn: str, password_file: str = "") -> None:
        self._dsn, self._password_file = dsn, password_file
        self._connection: psycopg.Connection[Row] | None = None
        self._handle: socket.socket | None = None
        self._slow, self._slow_at = Slow(), float("-inf")
        self._archives = False
        self._timeline = Timeline()

    def collect(self) -> PostgresFacts:
        """Raises SourceError when PostgreSQL does not answer."""
        try:
            return self._ask(self._opened())
        except psycopg.Error as err:
            self._close()
            raise SourceError(reason_of(err), first_line(err)) from err

    def prepare(self) -> None:
        """What is slow is asked while nobody waits."""
        if self._connection and self._slow_age() >= SLOW_S:
            try:
                self._renew_slow(self._connection)
            except psycopg.Error:
                self._close()
                raise

    def abort(self) -> None:
        handle = self._handle
        if handle is not None:
            # The worker closes it; it may just have done so.
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def _opened(self) -> psycopg.Connection[Row]:
        if self._connection is None or self._connection.closed:
            self._close()
            connection = connect(self._dsn, self._password_file)
            self._connection = connection
            # A copy of the descriptor: by the time of an abort the number may be another socket's.
            self._handle = socket.socket(fileno=os.dup(connection.fileno()))
            self._slow_at = float("-inf")
        return self._connection

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        connection, self._connection = self._connection, None
        if handle is not None:
            handle.close()
        if connection is not None:
            connection.close()

    def _ask(self, connection: psycopg.Connection[Row]) -> PostgresFacts:
        statement = queries.facts(connection.info.server_version)
        row = _one(connection.execute(statement).fetchall())
        self._archives = bool(row[12])
        if self._slow_age() > 2 * SLOW_S:
            self._renew_slow(connection)
        facts = _facts(row, self._slow)
        timeline = self._timeline.known(facts.started_at, facts.timeline)
        return dataclasses.replace(facts, timeline=timeline)

    def _slow_age(self) -> float:
        return time.monotonic() - self._slow_at

    def _renew_slow(self, connection: psycopg.Connection[Row]) -> None:
        ready = _value(connection, queries.ARCHIVE_READY) if self._archives else None
        self._slow = Slow(
            wal_directory=_value(connection, queries.WAL_DIRECTORY),
            archive_ready=ready,
            settings_hash=str(_value(connection, queries.SETTINGS) or "")[:16],
            hba_hash=_hba_hash(connection),
        )
        self._slow_at = time.monotonic()


class Timeline:
    """The highest timeline that a running PostgreSQL has told: it never goes back to a lower one.

    While nobody leads there is no receiver to ask, and the control file tells of the last
    restartpoint, which may be timelines ago (seen on the lab: 2 where 4 was replayed).
    """

    def __init__(self) -> None:
        self._of, self._highest = 0.0, 0

    def known(self, started_at: float, told: int | None) -> int | None:
        """The timeline to show; None while none was told.

        Args:
            started_at: Unix time of PostgreSQL's start, which a rewind or a restore makes new.
        """
        if started_at != self._of:
            self._of, self._highest = started_at, 0
        self._highest = max(told or 0, self._highest)
        return self._highest or None


def connect(dsn: str, password_file: str = "", **more: Any) -> psycopg.Connection[Row]:
    """A connection of ours: autocommit, bounded statements, and visible by its name.

    Raises:
        SourceError: the password file cannot be read.
        psycopg.Error: no connection.
    """
    options: dict[str, Any] = {
        "connect_timeout": 2,
        "application_name": "pgha_exporter",
        "options": "-c statement_timeout=2000 -c search_path=pg_catalog -c jit=off",
        **more,
    }
    if password_file:
        options["password"] = read_secret(password_file)
    return psycopg.connect(
        dsn, autocommit=True, prepare_threshold=0, row_factory=tuple_row, **options
    )


def read_secret(path: str) -> str:
    """The file's content without its last line break; raises SourceError."""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as err:
        raise SourceError("auth", f"{path} cannot be read: {type(err).__name__}") from err


def reason_of(err: psycopg.Error) -> str:
    """The reason label of an error."""
    text = str(err).lower()
    if isinstance(err, psycopg.errors.QueryCanceled | psycopg.errors.ConnectionTimeout):
        return "timeout"
    if isinstance(err, psycopg.errors.InsufficientPrivilege) or _is_auth(text):
        return "auth"
    if "certificate" in text or "ssl" in text:
        return "tls"
    if "timeout expired" in text or "timed out" in text:
        return "timeout"
    return "refused" if isinstance(err, psycopg.OperationalError) else "protocol"


def _is_auth(text: str) -> bool:
    marks = ("password authentication", "no password supplied", "pg_hba.conf", "does not exist")
    return any(mark in text for mark in marks)


def first_line(err: psycopg.Error) -> str:
    """PostgreSQL's message; never the statement or the connection string."""
    lines = (str(err.diag.message_primary or "") or str(err)).splitlines()
    return lines[0][:200] if lines else type(err).__name__


def _one(rows: Sequence[Row]) -> Row:
    if not rows:
        raise SourceError("protocol", "PostgreSQL answered no row")
    return rows[0]


def _value(connection: psycopg.Connection[Row], statement: LiteralString) -> Any:
    """None where the role may not ask: what else it may see is still worth showing."""
    try:
        row = connection.execute(statement).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return row[0] if row else None


def _hba_hash(connection: psycopg.Connection[Row]) -> str:
    try:
        rules = connection.execute(queries.HBA).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return ""
    return hba_hash(rules, str(_value(connection, queries.LISTEN) or ""))


def hba_hash(rules: Sequence[Row], listen_addresses: str) -> str:
    """One hash for the rules of pg_hba.conf that means the same on every member.

    A rule for the node's own addresses only (such as the superuser's) differs between members on
    purpose: addresses of rules that differ in nothing else are put together, and where they are
    nothing but the node's own, they become "self".
    """
    own = {*LOOPBACK, *(text.strip() for text in listen_addresses.split(","))}
    together: dict[Row, set[tuple[str, str]]] = {}
    for kind, database, user, address, mask, method, options in rules:
        rule = (kind, _text(database), _text(user), method, _text(options))
        together.setdefault(rule, set()).add((str(address or ""), str(mask or "")))
    lines = [
        repr((rule, ["self"] if {address for address, _ in found} <= own else sorted(found)))
        for rule, found in together.items()
    ]
    return hashlib.md5("\n".join(lines).encode(), usedforsecurity=False).hexdigest()[:16]


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _facts(row: Row, slow: Slow) -> PostgresFacts:
    node, (streaming, last_message), archiver, (slots, slots_there) = (
        row[:13], row[13:15], row[15:17], row[17:],
    )  # fmt: skip
    recovery, archives = bool(node[0]), bool(node[12])
    return PostgresFacts(
        in_recovery=recovery,
        read_only=bool(node[1]),
        timeline=node[2],
        current=_int(node[3]),
        received=_int(node[4]),
        replayed=_int(node[5]),
        replay_paused=node[6],
        started_at=node[7],
        version=str(node[8]).split(" ")[0],
        system_identifier=str(node[9]),
        connections=node[10],
        max_connections=node[11],
        streaming=(bool(streaming) if recovery else None),
        last_message=(last_message if recovery else None),
        slots=tuple(Slot(*slot) for slot in slots),
        slots_omitted=slots_there - len(slots),
        archived_at=((archiver[0] or 0.0) if archives else None),
        archive_failed_at=((archiver[1] or 0.0) if archives else None),
        slow=slow,
    )


def _int(value: Any) -> int | None:
    return None if value is None else int(value)
