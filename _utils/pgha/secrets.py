"""Passwords: generated once on the Salt master, kept in the state directory, shown to nobody.

state/postgresql/{superuser,replicator,rewind,monitor,pgbouncer,app,restapi,exporter}_password.txt
state/postgresql/salt.key        makes the SCRAM verifiers repeatable
state/coolify/token              written by the operator
state/clusters/<cluster>/...     the same for each cluster that postgresql_clusters adds
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets as random_source
import string
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgha import bcrypt
from pgha.errors import ConflictError, DamagedStateError, NotFoundError
from pgha.statefiles import ensure_file, read_text

if TYPE_CHECKING:
    from pgha.topology import Topology

PASSWORD_LENGTH = 32
SCRAM_ITERATIONS = 4096
"""PostgreSQL's default, scram_iterations; RFC 7677 section 4 asks for at least 4096."""

POSTGRESQL_ROLES = ("superuser", "replicator", "rewind", "monitor", "pgbouncer", "app")
PASSWORDS = (*POSTGRESQL_ROLES, "restapi", "exporter", "grafana")

_ALPHABET = string.ascii_letters + string.digits
# What an operator may put in place of a generated password: nothing that a configuration file, a
# connection string or SASLprep (RFC 4013) would read in its own way.
_ACCEPTED = re.compile(r"[A-Za-z0-9._~-]{12,128}")
_SALT_KEY = re.compile(r"[0-9a-f]{64}")


def new_password() -> str:
    """32 letters and digits, 190 bits."""
    return "".join(random_source.choice(_ALPHABET) for _ in range(PASSWORD_LENGTH))


def new_salt_key() -> str:
    """256 bits as 64 hexadecimal digits."""
    return random_source.token_hex(32)


def cluster_root(state_dir: str | Path, cluster: str | None) -> Path:
    """The folder with one cluster's secrets; None is the default cluster, whose root is state/."""
    root = Path(state_dir)
    return root if cluster is None else root / "clusters" / cluster


@dataclass(frozen=True)
class SecretStore:
    """One cluster's secrets in the state directory.

    Args:
        state_dir: the state directory on the Salt master.
        cluster: name of a cluster that ``postgresql_clusters`` adds; None for the default one.
            `SecretStore.of` chooses.
    """

    state_dir: Path
    cluster: str | None = None

    @classmethod
    def of(cls, state_dir: str | Path, topology: Topology) -> SecretStore:
        """The store that holds the secrets of the topology's cluster."""
        return cls(Path(state_dir), None if topology.is_default else topology.cluster)

    @property
    def root(self) -> Path:
        """The folder above ``postgresql/`` and ``pki/``."""
        return cluster_root(self.state_dir, self.cluster)

    def ensure_all(self, topology: Topology) -> list[str]:
        """Create what is missing; never touches what exists.

        Returns:
            The files created, relative to the state directory; names, never values.

        Raises:
            ConflictError: the topology is that of another cluster.
            DamagedStateError: an existing file cannot be used.
        """
        self.check_owner(topology)
        makers = {self._path(name): new_password for name in PASSWORDS}
        makers[self._salt_key_path] = new_salt_key
        created = [path for path, make in makers.items() if ensure_file(path, make)]
        self._check_all()
        return [str(path.relative_to(self.state_dir)) for path in created]

    def missing(self, topology: Topology) -> list[str]:
        """The files that `ensure_all` would create, as it would name them."""
        self.check_owner(topology)
        files = [*(self._path(name) for name in PASSWORDS), self._salt_key_path]
        return [str(file.relative_to(self.state_dir)) for file in files if not file.exists()]

    def read(self, name: str) -> str:
        """One password by its name in `PASSWORDS`.

        Raises:
            NotFoundError: no such password, or not created yet.
            DamagedStateError: the file does not hold one line that can be a password.
        """
        path = self._path(name)
        content = read_text(path, f"password of {name}").strip()
        if not _ACCEPTED.fullmatch(content):
            raise DamagedStateError(
                f"The password of {name} in {path} cannot be used: it must be one line of 12 to "
                "128 letters, digits, dots, underscores, tildes and hyphens."
            )
        return content

    def scram_verifier(self, role: str) -> str:
        """What PostgreSQL stores for the role's password (RFC 5802, RFC 7677).

        The salt is derived, not random, so that two runs give the same text and nothing changes.

        Args:
            role: a name in `POSTGRESQL_ROLES`.
        """
        if role not in POSTGRESQL_ROLES:
            raise NotFoundError(
                f"'{role}' is not a role with a verifier; those are {', '.join(POSTGRESQL_ROLES)}."
            )
        password = self.read(role)
        salt = hmac.digest(self._salt_key(), f"{role}{password}".encode(), "sha256")[:16]
        return scram_sha_256(password, salt)

    def bcrypt_hash(self, name: str) -> str:
        """What a web server compares the password with; repeatable like `scram_verifier`."""
        password = self.read(name)
        salt = hmac.digest(self._salt_key(), f"web {name}{password}".encode(), "sha256")[:16]
        return bcrypt.hash_password(password, salt)

    def coolify_token(self) -> str | None:
        """The token of Coolify's API, None when the operator has not written it yet.

        A cluster's own ``coolify/token`` goes before the one that all clusters share.
        """
        for root in dict.fromkeys((self.root, self.state_dir)):
            path = root / "coolify" / "token"
            if path.exists():
                return read_text(path, "token of Coolify").strip()
        return None

    def _path(self, name: str) -> Path:
        if name not in PASSWORDS:
            raise NotFoundError(f"There is no password '{name}'; there are {', '.join(PASSWORDS)}.")
        return self.root / "postgresql" / f"{name}_password.txt"

    @property
    def _salt_key_path(self) -> Path:
        return self.root / "postgresql" / "salt.key"

    def _salt_key(self) -> bytes:
        content = read_text(self._salt_key_path, "salt key").strip()
        if not _SALT_KEY.fullmatch(content):
            raise DamagedStateError(
                f"The salt key in {self._salt_key_path} must be 64 hexadecimal digits; restore it, "
                "or delete the file and deploy again, which rewrites every role's verifier."
            )
        return bytes.fromhex(content)

    def check_owner(self, topology: Topology) -> None:
        """Raise ConflictError when the store is that of another cluster."""
        right = SecretStore.of(self.state_dir, topology)
        if right != self:
            raise ConflictError(
                f"The secrets of {topology.cluster} are in {right.root}, not in {self.root}; "
                "SecretStore.of finds the right place."
            )

    def _check_all(self) -> None:
        for name in PASSWORDS:
            self.read(name)
        self._salt_key()


def scram_sha_256(password: str, salt: bytes, iterations: int = SCRAM_ITERATIONS) -> str:
    """``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``, as in ``pg_authid``."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode("ascii") for part in (salt, stored_key, server_key))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *parts)
