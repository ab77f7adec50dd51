"""A connection that cannot outlive its bound, even when the server is frozen.

``statement_timeout`` needs a living server and psycopg waits for the socket without limit, so a
frozen server (stopped process, stuck storage) would hold the caller for ever. A timer shuts the
socket down when the time is over, which ends the wait at once.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from pgha.errors import FailedError, RefusedError, UnreachableError
from pgha.pg.settings import ConnectSettings

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def session(settings: ConnectSettings, *, autocommit: bool = False) -> Iterator[Connection]:
    """A connection for the block: committed at its end, rolled back on an error.

    Raises:
        UnreachableError: no connection, or no answer within ``settings.timeout_s`` altogether.
        RefusedError: PostgreSQL refused a statement (permission, read-only replica, ...).
        FailedError: PostgreSQL could not carry out a statement.
    """
    deadline = time.monotonic() + settings.timeout_s
    connection = _connect(settings, autocommit)
    watchdog = Watchdog(connection, max(deadline - time.monotonic(), 0.01))
    try:
        with watchdog, connection:
            yield connection
    except psycopg.Error as err:
        raise _translated(settings, err, watchdog.fired) from err


def _connect(settings: ConnectSettings, autocommit: bool) -> Connection:
    try:
        return psycopg.connect(**settings.parameters(), autocommit=autocommit)
    except psycopg.OperationalError as err:
        raise UnreachableError(
            f"{settings.source} cannot be reached as {settings.user}: {_reason(err)}; "
            "see `pgha-logs patroni` there."
        ) from err


def _translated(
    settings: ConnectSettings, err: psycopg.Error, timed_out: bool
) -> UnreachableError | RefusedError | FailedError:
    if timed_out or isinstance(err, psycopg.errors.QueryCanceled):
        return UnreachableError(
            f"{settings.source} did not answer within {settings.timeout_s:g} s; "
            "see `pgha-logs patroni` there."
        )
    if isinstance(
        err, psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction
    ):
        return RefusedError(f"{settings.source} refused {settings.user}: {_reason(err)}.")
    if isinstance(err, psycopg.OperationalError):
        return UnreachableError(
            f"{settings.source} broke the connection: {_reason(err)}; "
            "see `pgha-logs patroni` there."
        )
    return FailedError(f"{settings.source} could not do it: {_reason(err)}.")


def _reason(err: psycopg.Error) -> str:
    """PostgreSQL's own message without the statement, which may hold a verifier."""
    if err.diag.message_primary:
        return err.diag.message_primary
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return lines[0].removeprefix("connection failed: ").rstrip(".") if lines else "no reason given"


class Watchdog:
    """Shuts a connection's socket down after some seconds; ``fired`` tells that it did."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.fired = False
        # A copy of the descriptor: the original's number may already be somebody else's socket.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self._socket.close()

    def _shut(self) -> None:
        self.fired = True
        # Closed by the server in the meantime: nothing waits for it any more.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
