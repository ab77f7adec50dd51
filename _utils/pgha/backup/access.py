"""How the Salt master logs in to a member as superuser: password and certificate, both.

pg_hba lets the superuser in from elsewhere only with the certificate that `pgha.pki` issues for the
master (`pgha.render.hba`). Secrets reach the tools as files in a folder that only their container
mounts; no command line and no environment holds one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgha.pki import Pki
from pgha.render.accounts import SUPERUSER
from pgha.render.keepalive import KEEPALIVES
from pgha.render.places import POSTGRES
from pgha.secrets import SecretStore
from pgha.topology import Node, Topology

IN_CONTAINER = "/run/pgha"
CONNECT_TIMEOUT_S = 10

# A dump waits as long as it takes; what must not wait is a statement of the operator's pillar.
_UNBOUNDED = (
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=0 "
    "-c default_transaction_read_only=off"
)


@dataclass(frozen=True)
class Access:
    """One member as seen from the master. ``folder`` holds the secrets for containers."""

    node: Node
    port: int
    store: SecretStore
    folder: Path

    @property
    def source(self) -> str:
        """What the member is called in sentences."""
        return f"PostgreSQL on {self.node.host} ({self.node.ip}:{self.port})"

    def for_driver(self, database: str) -> dict[str, Any]:
        """Arguments of ``psycopg.connect`` on the master itself; holds the password."""
        pki = Pki(self.store.root / "pki")
        return {
            **self._common(database),
            "password": self.store.read("superuser"),
            "sslrootcert": str(pki.root / "ca.crt"),
            "sslcert": str(pki.superuser("crt")),
            "sslkey": str(pki.superuser("key")),
            "prepare_threshold": None,
        }

    def for_tools(self, database: str) -> str:
        """A connection string for tools in a container that mounts ``folder``; no secret in it."""
        files = {
            "passfile": "pgpass",
            "sslrootcert": "ca.crt",
            "sslcert": "superuser.crt",
            "sslkey": "superuser.key",
        }
        paths = {key: f"{IN_CONTAINER}/{name}" for key, name in files.items()}
        return conninfo({**self._common(database), **paths})

    def _common(self, database: str) -> dict[str, Any]:
        return {
            "host": self.node.ip,
            "port": self.port,
            "user": SUPERUSER,
            "dbname": database,
            "sslmode": "verify-full",
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "pgha_backup",
            "options": _UNBOUNDED,
            # A source that dies without a word must not hold a run for ever.
            **KEEPALIVES,
        }


def conninfo(parameters: Mapping[str, Any]) -> str:
    """A libpq connection string; every value quoted, so a database may have any name."""
    return " ".join(f"{key}='{_escaped(str(value))}'" for key, value in parameters.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


@contextmanager
def credentials(store: SecretStore, where: Path) -> Iterator[Path]:
    """A folder with the secrets of the superuser's login, gone after the block.

    Args:
        where: the folder to make it in, which only root may enter. Its name begins with a dot: the
            next run removes what a killed one left.
    """
    folder = Path(tempfile.mkdtemp(prefix=".login-", dir=where))
    try:
        pki = Pki(store.root / "pki")
        _write(folder / "ca.crt", pki.ca_certificate())
        _write(folder / "superuser.crt", pki.superuser("crt").read_text(encoding="ascii"))
        _write(folder / "superuser.key", pki.superuser("key").read_text(encoding="ascii"))
        _write(folder / "pgpass", f"*:*:*:{SUPERUSER}:{store.read('superuser')}\n")
        give_to_tools(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_to_tools(path: Path) -> None:
    """Let the user that the image's tools run as own a path; libpq insists on it for keys."""
    if os.geteuid() == 0:
        os.chown(path, POSTGRES, POSTGRES)


def _write(path: Path, content: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    give_to_tools(path)


def access(topology: Topology, node: Node, store: SecretStore, folder: Path) -> Access:
    """The member of a node, past every router."""
    return Access(node, topology.member_port, store, folder)
