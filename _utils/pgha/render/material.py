"""Take certificates and passwords out of a minion's pillar (`pgha.roles.secrets_for`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.errors import NotFoundError
from pgha.render.entities import ManagedFile
from pgha.render.places import ROOT

Secrets = Mapping[str, Any]


def ca_certificate(secrets: Secrets) -> str:
    """The cluster's CA certificate in PEM form; not a secret."""
    return str(_found(secrets, "ca_crt"))


def password(secrets: Secrets, name: str) -> str:
    """One password in plain text; raises NotFoundError naming what is missing, never a value."""
    return str(_found(secrets, "passwords", name))


def verifier(secrets: Secrets, name: str) -> str:
    """One SCRAM verifier as PostgreSQL stores it; raises NotFoundError."""
    return str(_found(secrets, "verifiers", name))


def web_hash(secrets: Secrets, name: str) -> str:
    """One bcrypt hash; raises NotFoundError."""
    return str(_found(secrets, "web_hashes", name))


def ca_file(secrets: Secrets, directory: str, component: str) -> ManagedFile:
    """The CA certificate in a directory, readable by all."""
    return ManagedFile(
        f"{directory}/ca.crt", ca_certificate(secrets), 0o644, ROOT, ROOT, False, component
    )


def certificate_files(
    secrets: Secrets, name: str, directory: str, file_name: str, owner: int, component: str
) -> list[ManagedFile]:
    """Certificate and key of this node as ``<directory>/<file_name>.{crt,key}``.

    The key is readable by its owner only: PostgreSQL refuses any other mode
    (its documentation, 19.9.1).
    """
    certificate = str(_found(secrets, "node", name, "crt"))
    key = str(_found(secrets, "node", name, "key"))
    path = f"{directory}/{file_name}"
    return [
        ManagedFile(f"{path}.crt", certificate, 0o644, owner, owner, False, component),
        ManagedFile(f"{path}.key", key, 0o600, owner, owner, True, component),
    ]


def _found(secrets: Secrets, *keys: str) -> Any:
    value: Any = secrets.get("pgha", {})
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise NotFoundError(
                f"the secrets of this node have no {' '.join(keys)}; run the deploy on the Salt "
                "master, which creates what is missing and hands it out"
            )
        value = value[key]
    return value
