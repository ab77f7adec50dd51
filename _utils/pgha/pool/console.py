"""PgBouncer's admin console on one server: pause, resume, what it says of itself (1.24).

The console understands the simple query protocol only, which is what psycopg uses for a statement
without parameters. ``PAUSE`` answers when the last running transaction has ended, so it has a
connection of its own: ``RESUME`` must get through while it waits.

Reference: https://www.pgbouncer.org/usage.html, "Admin console".
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg

from pgha.errors import PghaError, RefusedError, TimedOutError, UnreachableError
from pgha.pg.session import Connection, Watchdog
from pgha.pg.settings import ConnectSettings
from pgha.render.accounts import MONITOR, PGBOUNCER
from pgha.render.places import CONFIG_ROOT
from pgha.topology import Node, Topology

CONSOLE = "pgbouncer"
"""The virtual database of the console."""
ANSWER_S = 3.0
"""Bound of every command that has nothing to wait for."""

_NOT_PAUSED = "not paused"
_ALREADY_PAUSED = "already suspended/paused"


def console_settings(
    topology: Topology,
    node: Node,
    password: str,
    user: str = PGBOUNCER,
    *,
    config_root: str = CONFIG_ROOT,
) -> ConnectSettings:
    """The console of a node's pool, through that node's router.

    Args:
        password: of ``user``; the role pgbouncer may do everything, pgha_monitor only look.
    """
    return ConnectSettings(
        host=topology.hostname,
        address=node.ip,
        port=topology.pool_port,
        user=user,
        password=password,
        database=CONSOLE,
        where=node.host,
        ca_file=f"{config_root}/{topology.cluster}/ca.crt",
        pooled=True,
    )


class Console:
    """The console of one PgBouncer; connects when it is made.

    Raises:
        UnreachableError: nobody answers there as a console, on making it and from every verb.
    """

    def __init__(self, settings: ConnectSettings) -> None:
        self._settings = settings
        self._connection = _connect(settings)

    @property
    def where(self) -> str:
        """The server's name."""
        return self._settings.where

    def is_paused(self) -> bool:
        """Whether clients are held, or soon will be, because ``PAUSE`` was given."""
        state = dict(self._command("SHOW STATE", ANSWER_S))
        return state.get("paused") == "yes"

    def busy(self) -> int:
        """How many server connections carry a transaction right now."""
        columns, rows = self._table("SHOW POOLS", ANSWER_S)
        return sum(int(dict(zip(columns, row, strict=True)).get("sv_active", 0)) for row in rows)

    def pause(self, limit_s: float) -> None:
        """Hold every client as soon as its transaction has ended, and wait until all have.

        Raises:
            TimedOutError: transactions are still running after ``limit_s``; the pause stays
                requested, so resume.
        """
        try:
            self._command("PAUSE", limit_s)
        except RefusedError as err:
            if _ALREADY_PAUSED not in str(err):
                raise

    def resume(self) -> bool:
        """Let the clients go; False when they were not held."""
        try:
            self._command("RESUME", ANSWER_S)
        except RefusedError as err:
            if _NOT_PAUSED in str(err):
                return False
            raise
        return True

    def close(self) -> None:
        """Hang up; harmless when it is already gone."""
        with suppress(psycopg.Error):
            self._connection.close()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _command(self, command: str, limit_s: float) -> list[tuple[Any, ...]]:
        return self._table(command, limit_s)[1]

    def _table(self, command: str, limit_s: float) -> tuple[list[str], list[tuple[Any, ...]]]:
        watchdog = None
        try:
            watchdog = Watchdog(self._connection, limit_s)
            with watchdog:
                cursor = self._connection.execute(command.encode())
                rows = cursor.fetchall() if cursor.description else []
                return [column.name for column in cursor.description or ()], rows
        except psycopg.Error as err:
            if watchdog is not None and watchdog.fired:
                raise TimedOutError(
                    f"PgBouncer on {self.where} did not finish {command} within {limit_s:g} s."
                ) from err
            # Its refusals carry 08P01, which elsewhere means a broken connection.
            if self._connection.closed:
                raise _broken(self._settings, err) from err
            raise RefusedError(
                f"PgBouncer on {self.where} refused {command}: {_reason(err)}."
            ) from err


def pool_paused(
    topology: Topology, node: Node, password: str, *, config_root: str = CONFIG_ROOT
) -> bool | None:
    """Whether a node's pool is paused; None when nobody answers there.

    Args:
        password: of pgha_monitor.
    """
    try:
        settings = console_settings(topology, node, password, MONITOR, config_root=config_root)
        with Console(settings) as console:
            return console.is_paused()
    except PghaError:
        return None


def _connect(settings: ConnectSettings) -> Connection:
    try:
        return psycopg.connect(**settings.parameters(), autocommit=True)
    except psycopg.OperationalError as err:
        raise UnreachableError(
            f"the pool on {settings.where} cannot be reached ({settings.address}:{settings.port}): "
            f"{_reason(err)}; see `pgha-logs router` there."
        ) from err


def _broken(settings: ConnectSettings, err: psycopg.Error) -> UnreachableError:
    return UnreachableError(
        f"PgBouncer on {settings.where} broke the connection: {_reason(err)}; see `pgha-logs "
        "router` there."
    )


def _reason(err: psycopg.Error) -> str:
    if err.diag.message_primary:
        return err.diag.message_primary
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return lines[0].removeprefix("connection failed: ").rstrip(".") if lines else "no reason given"
