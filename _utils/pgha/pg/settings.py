"""How to reach one PostgreSQL; the password is never shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pgha.render.accounts import AUTH_DATABASE
from pgha.render.places import CONFIG_ROOT
from pgha.topology import Node, Topology


@dataclass(frozen=True)
class ConnectSettings:
    """One server, database and role, with the bounds of whatever is asked there.

    Args:
        where: the server's name in error sentences.
        address: connect here while the certificate is verified against ``host``; a router is asked
            this way past the hosts file.
        ca_file: with it the server's certificate and name are verified (``verify-full``).
        connect_timeout_s: at least 2, psycopg's own minimum.
        timeout_s: bound of a whole `pgha.pg.session.session`, connecting included.
        pooled: PgBouncer is in between, which refuses session settings at connection.
    """

    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    database: str = AUTH_DATABASE
    where: str = ""
    address: str | None = None
    ca_file: str | None = None
    connect_timeout_s: int = 2
    timeout_s: float = 5.0
    pooled: bool = False

    @property
    def source(self) -> str:
        """What the server is called in sentences."""
        return f"PostgreSQL on {self.where or self.host} ({self.host}:{self.port})"

    def to_database(self, database: str) -> ConnectSettings:
        return replace(self, database=database)

    def parameters(self) -> dict[str, Any]:
        """Keyword arguments of ``psycopg.connect``; holds the password."""
        return {
            "host": self.host,
            **({"hostaddr": self.address} if self.address else {}),
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            "connect_timeout": self.connect_timeout_s,
            "application_name": "pgha",
            "prepare_threshold": None,  # one statement a session, and poolers do not like them
            **self._tls(),
            **self._session_bounds(),
        }

    def _tls(self) -> dict[str, str]:
        if not self.ca_file:
            return {"sslmode": "disable"}
        return {"sslmode": "verify-full", "sslrootcert": self.ca_file}

    def _session_bounds(self) -> dict[str, str]:
        if self.pooled:
            return {}
        # The server ends what it can before we give up on it, so no query is left behind there.
        ms = int(self.timeout_s * 1000)
        return {"options": f"-c statement_timeout={ms} -c lock_timeout={ms}"}


def member_settings(
    topology: Topology,
    node: Node,
    user: str,
    password: str,
    *,
    timeout_s: float = 5.0,
    config_root: str = CONFIG_ROOT,
) -> ConnectSettings:
    """PostgreSQL of one node itself, at its own address and port, past the router."""
    return ConnectSettings(
        host=node.ip,
        port=topology.member_port,
        user=user,
        password=password,
        where=node.host,
        ca_file=f"{config_root}/{topology.cluster}/ca.crt",
        timeout_s=timeout_s,
    )
