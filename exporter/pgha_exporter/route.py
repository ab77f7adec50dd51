"""Whether applications reach the right server: a new connection through the public hostname.

Checked end to end: name resolution, the router, TLS, login, and that the server behind it belongs
to this cluster and has the right role.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from pgha_exporter.errors import SourceError
from pgha_exporter.postgres import connect, first_line, reason_of

WHO = """
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool,
       (SELECT system_identifier::text FROM pg_control_system())
"""


@dataclass(frozen=True)
class Route:
    """One route's check; ``duration`` in seconds, None when it failed."""

    ok: bool
    duration: float | None
    failure: str


class RouteCollector:
    """The source ``route``: both routes, one after the other.

    A route that leads to the wrong server is an answer; the source itself only fails when there is
    nothing to compare with.

    Args:
        identifier: the cluster's system identifier, empty while unknown.
    """

    def __init__(
        self,
        dsn: str,
        password_file: str,
        host: str,
        ports: dict[str, int],
        ca_file: str,
        identifier: Callable[[], str],
    ) -> None:
        self._dsn, self._password_file = dsn, password_file
        self._host, self._ports, self._ca_file = host, ports, ca_file
        self._identifier = identifier

    def collect(self) -> dict[str, Route]:
        return {name: self._check(name, port) for name, port in self._ports.items()}

    def abort(self) -> None:
        # The connection's own bounds (connect_timeout, statement_timeout) end it.
        pass

    def _check(self, name: str, port: int) -> Route:
        started = time.monotonic()
        try:
            with self._connection(port) as connection:
                row = connection.execute(WHO).fetchone()
        except psycopg.Error as err:
            return Route(False, None, f"{reason_of(err)}: {first_line(err)}")
        except SourceError as err:
            return Route(False, None, str(err))
        assert row is not None
        failure = self._wrong(name, *row)
        return Route(not failure, time.monotonic() - started, failure)

    def _connection(self, port: int) -> psycopg.Connection[tuple[Any, ...]]:
        tls = {"sslmode": "verify-full", "sslrootcert": self._ca_file} if self._ca_file else {}
        # hostaddr of the DSN would lead past the name that is to be checked.
        return connect(
            self._dsn, self._password_file, host=self._host, hostaddr=None, port=port, **tls
        )

    def _wrong(self, name: str, read_only: bool, identifier: str) -> str:
        expected = self._identifier()
        if expected and identifier != expected:
            return "it leads to another cluster"
        return "it leads to a server that is read-only" if name == "rw" and read_only else ""
