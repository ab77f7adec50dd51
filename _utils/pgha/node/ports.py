"""Who listens on which TCP port of this server."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import psutil

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never bound to


@dataclass(frozen=True)
class Listener:
    """A listening socket; ``process`` is ``name (pid N)``, or ``unknown`` to non-root."""

    port: int
    address: str
    process: str


def listeners(ports: Collection[int], addresses: Collection[str]) -> list[Listener]:
    """Return who listens on one of ``ports`` at one of ``addresses`` or at every address."""
    wanted = set(addresses) | ANY_ADDRESS
    return [found for found in _all_listeners() if found.port in ports and found.address in wanted]


def _all_listeners() -> Iterable[Listener]:
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr:
            address = connection.laddr.ip.removeprefix("::ffff:")
            yield Listener(connection.laddr.port, address, _process_name(connection.pid))


def _process_name(pid: int | None) -> str:
    if pid is None:
        return "unknown"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
