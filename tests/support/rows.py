"""Rows written without a pause from outside the servers; is each acknowledged one still there?"""

from __future__ import annotations

import threading
import time

import psycopg

from tests.support.lab import Lab, eventually

TABLE = "acknowledged"


class Writes:
    """Inserts numbers through every router's port 5432 until the block ends.

    A further cluster has its own ``port``, and its own folder of ``secrets`` below the state.
    ``acknowledged`` are the numbers whose commit was confirmed; ``gap_s`` is the longest time
    between two confirmations.
    """

    def __init__(
        self,
        lab: Lab,
        servers: list[str] | None = None,
        acknowledged: list[int] | None = None,
        *,
        port: int = 5432,
        secrets: str = "postgresql",
    ) -> None:
        self._lab = lab
        self._servers = servers or lab.servers
        self._port = port
        self._secrets = secrets
        self.acknowledged: list[int] = acknowledged or []
        self.gap_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writes:
        eventually(self._prepared, deadline_s=60, what="a table to write to")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def missing(self) -> set[int]:
        """Numbers that were acknowledged and are not in the table."""
        (found,) = eventually(self._found, deadline_s=60, what="the table through a router")
        return set(self.acknowledged) - found

    def _prepared(self) -> bool:
        """False while no router leads to a leader."""
        try:
            with self._connect() as connection:
                connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
                connection.execute(f"CREATE TABLE {TABLE} (number int PRIMARY KEY)")
        except psycopg.OperationalError:
            return False
        return True

    def _found(self) -> list[set[int]]:
        """One set of numbers; none while no router leads to a leader."""
        try:
            with self._connect() as connection:
                return [{row[0] for row in connection.execute(f"SELECT number FROM {TABLE}")}]
        except psycopg.OperationalError:
            return []

    def _write(self) -> None:
        number = 0
        last = time.monotonic()
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    while not self._stop.is_set():
                        number += 1
                        connection.execute(f"INSERT INTO {TABLE} VALUES (%s)", [number])
                        self.acknowledged.append(number)
                        self.gap_s = max(self.gap_s, time.monotonic() - last)
                        last = time.monotonic()
                        self._stop.wait(0.005)
            except psycopg.Error:
                self._stop.wait(0.1)

    def _connect(self) -> psycopg.Connection[tuple[int]]:
        addresses = ",".join(self._lab.address(server) for server in self._servers)
        return psycopg.connect(
            host=addresses,
            port=self._port,
            dbname="application",
            user="app_user",
            password=self._lab.read_secret(f"{self._secrets}/app_password.txt"),
            sslmode="require",
            connect_timeout=2,
            autocommit=True,
            tcp_user_timeout=3000,
        )
