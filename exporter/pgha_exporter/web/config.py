"""TLS and basic auth in the format of Prometheus' exporter-toolkit (docs/web-configuration.md).

    tls_server_config:
      cert_file: server.crt           # relative to the file itself
      key_file: server.key
      client_auth_type: NoClientCert  # or RequireAndVerifyClientCert, with client_ca_file
      client_ca_file: ca.crt
      min_version: TLS12              # or TLS13
    basic_auth_users:
      prometheus: $2b$10$...          # bcrypt

The file and the certificates are looked at again when one of them has changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pgha import bcrypt
from pgha_exporter.errors import SettingsError

CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
}
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
TLS_KEYS = ("cert_file", "key_file", "client_auth_type", "client_ca_file", "min_version")


@dataclass(frozen=True)
class WebConfig:
    """What the file says; ``users`` maps names to bcrypt hashes and is never shown."""

    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    users: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.cert_file, self.key_file, self.client_ca_file)))

    def context(self) -> ssl.SSLContext | None:
        """The server's TLS, None for plain HTTP; raises SettingsError for unfit files."""
        if not self.cert_file:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self.min_version
        try:
            context.load_cert_chain(self.cert_file, self.key_file)
            if self.client_ca_file:
                context.load_verify_locations(self.client_ca_file)
        except (OSError, ssl.SSLError) as err:
            raise SettingsError([f"{self.cert_file} cannot be used for TLS: {err}."]) from err
        context.verify_mode = self.client_auth
        return context


def load(path: str) -> WebConfig:
    """Read the file; an empty one means plain HTTP for everybody.

    Raises:
        SettingsError: with every problem found.
    """
    try:
        content = yaml.safe_load(Path(path).read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise SettingsError([f"{path} cannot be read: {type(err).__name__}."]) from err
    if not isinstance(content, dict):
        raise SettingsError([f"{path} must have tls_server_config or basic_auth_users."])
    tls, users = content.get("tls_server_config") or {}, content.get("basic_auth_users") or {}
    problems = [*_unknown(path, content), *_tls_problems(path, tls), *_user_problems(path, users)]
    if problems:
        raise SettingsError(problems)
    folder = Path(path).parent
    return WebConfig(
        cert_file=_placed(folder, tls.get("cert_file")),
        key_file=_placed(folder, tls.get("key_file")),
        client_ca_file=_placed(folder, tls.get("client_ca_file")),
        client_auth=CLIENT_AUTH[tls.get("client_auth_type") or "NoClientCert"],
        min_version=VERSIONS[tls.get("min_version") or "TLS12"],
        users={str(name): str(text) for name, text in users.items()},
    )


class Access:
    """The web configuration in force, renewed when its files change; checks passwords.

    A damaged file that replaces a good one changes nothing until it is repaired: a renewal that
    went wrong must not blind the monitoring.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._config = load(path) if path else WebConfig()
        self._context = self._config.context()
        self._stamp = self._stamps()
        # bcrypt takes 50 ms on purpose; the same password need not be checked so at every scrape.
        self._key = os.urandom(32)
        self._accepted: set[bytes] = set()

    def context(self) -> ssl.SSLContext | None:
        """The TLS context in force; None for plain HTTP."""
        self._renew()
        return self._context

    def allows(self, authorization: str) -> bool:
        """Whether the header's user and password are right; True when no users are declared."""
        users = self._config.users
        if not users:
            return True
        name, password = _credentials(authorization)
        known = users.get(name)
        mark = hmac.digest(self._key, repr((name, password, known)).encode(), hashlib.sha256)
        if mark in self._accepted:
            return True
        # An unknown name takes as long as a wrong password, so that names cannot be guessed.
        right = bcrypt.verify(password, known or next(iter(users.values()))) and known is not None
        if right:
            self._accepted = {*self._accepted, mark} if len(self._accepted) < 100 else {mark}
        return right

    def _renew(self) -> None:
        if not self._path:
            return
        with self._lock:
            stamp = self._stamps()
            if stamp == self._stamp:
                return
            try:
                config = load(self._path)
                self._context, self._config = config.context(), config
            except SettingsError:
                return
            self._stamp = self._stamps()

    def _stamps(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in (self._path, *self._config.files) if path)


def _stamp(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return name, password


def _placed(folder: Path, name: object) -> str:
    return str(folder / str(name)) if name else ""


def _unknown(path: str, content: Mapping[Any, Any]) -> list[str]:
    known = ("tls_server_config", "basic_auth_users", "http_server_config")
    return [f"{path}: {name} is not known." for name in content if name not in known]


def _tls_problems(path: str, tls: Any) -> list[str]:
    if not isinstance(tls, dict):
        return [f"{path}: tls_server_config must have cert_file and key_file."]
    problems = [
        f"{path}: tls_server_config.{key} is not known." for key in tls if key not in TLS_KEYS
    ]
    if tls and not (tls.get("cert_file") and tls.get("key_file")):
        problems.append(f"{path}: tls_server_config needs both cert_file and key_file.")
    for key, allowed in (("client_auth_type", CLIENT_AUTH), ("min_version", VERSIONS)):
        if tls.get(key) and tls[key] not in allowed:
            problems.append(f"{path}: {key} must be one of {', '.join(allowed)}.")
    wanted = tls.get("client_auth_type") or "NoClientCert"
    if wanted != "NoClientCert" and not tls.get("client_ca_file"):
        problems.append(f"{path}: {wanted} needs client_ca_file.")
    return problems


def _user_problems(path: str, users: Any) -> list[str]:
    if not isinstance(users, dict):
        return [f"{path}: basic_auth_users must map names to bcrypt hashes."]
    return [
        f"{path}: the password of {name} must be a bcrypt hash."
        for name, text in users.items()
        if not bcrypt.is_hash(str(text))
    ]
