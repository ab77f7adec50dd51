"""What the server itself shows: ends of certificates, and free space of file systems."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from dataclasses import dataclass, field
from pathlib import Path

from pgha_exporter.errors import SourceError
from pgha_exporter.settings import split_address
from pgha_exporter.x509 import not_after, not_after_of_pem

CONNECT_S = 1.0
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""PostgreSQL's SSLRequest (protocol documentation, 55.2.10)."""


@dataclass(frozen=True)
class Space:
    """Bytes: free for unprivileged processes, and in all."""

    available: int
    size: int


@dataclass(frozen=True)
class ServerFacts:
    """``certificates`` by use, as Unix time; ``volumes`` by name."""

    certificates: dict[str, float] = field(default_factory=dict)
    volumes: dict[str, Space] = field(default_factory=dict)


class ServerCollector:
    """The source ``files``.

    Args:
        directory: every ``*.crt`` in it and below is read; empty for none.
        ports: of this node, as in the settings ``served_ports``.
        volumes: directories by volume name.
    """

    def __init__(self, directory: str, ports: tuple[str, ...], volumes: dict[str, str]) -> None:
        self._directory, self._ports, self._volumes = directory, ports, volumes

    def collect(self) -> ServerFacts:
        certificates = certificates_below(self._directory) if self._directory else {}
        for port in self._ports:
            end = served_until(port)
            if end is not None:
                certificates[f"served-{port.rsplit(':', 1)[-1]}"] = end
        return ServerFacts(certificates, {n: _space(path) for n, path in self._volumes.items()})

    def abort(self) -> None:
        # Whoever waits for a hung file system cannot be woken; the worker is left behind.
        pass


def certificates_below(directory: str) -> dict[str, float]:
    """End of validity by use: the path below the directory without suffix, ``/`` as ``-``.

    A file that is not a certificate is left out: the use that should be there is then missing.
    """
    root = Path(directory)
    if not root.is_dir():
        raise SourceError("protocol", f"{directory} is not a directory")
    found = {}
    for path in sorted(root.rglob("*.crt")):
        use = "-".join(path.relative_to(root).with_suffix("").parts)
        try:
            found[use] = not_after_of_pem(path.read_text("ascii"))
        except (OSError, ValueError):
            continue
    return found


def served_until(port: str) -> float | None:
    """End of the certificate that the port of this server presents; None without an answer."""
    address = port.removeprefix("postgres:")
    host, number = split_address(address if ":" in address else f"127.0.0.1:{address}")
    # The end of an untrusted certificate is of interest, too; the system's CAs need not be loaded.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, number), CONNECT_S) as plain:
            plain.settimeout(CONNECT_S)
            if port.startswith("postgres:"):
                plain.sendall(SSL_REQUEST)
                if plain.recv(1) != b"S":
                    return None
            with context.wrap_socket(plain) as connection:
                der = connection.getpeercert(binary_form=True)
        return not_after(der) if der else None
    except (OSError, ValueError):
        return None


def _space(path: str) -> Space:
    try:
        found = os.statvfs(path)
    except OSError as err:
        raise SourceError("protocol", f"{path}: {err.strerror}") from err
    return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)
