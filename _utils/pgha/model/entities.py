"""The parts of a topology."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """One server of the cluster.

    ``name`` is its name in Patroni, etcd and Coolify, ``host`` its host name and Salt minion id,
    ``ip`` its address (normalised text), ``role`` ``"primary"`` (preferred first leader) or
    ``"replica"``.
    """

    name: str
    host: str
    ip: str
    role: str

    @property
    def url_host(self) -> str:
        """The address as a URL wants it: IPv6 in brackets."""
        return f"[{self.ip}]" if ipaddress.ip_address(self.ip).version == 6 else self.ip


@dataclass(frozen=True)
class Images:
    """Image reference with tag, per component."""

    etcd: str
    patroni: str
    router: str
    exporter: str
    monitoring: str
    grafana: str


@dataclass(frozen=True)
class CoolifySettings:
    """Where the cluster's stacks live in Coolify.

    ``url`` is the address without a trailing slash and without ``/api/v1``; ``controller`` is the
    minion id of the only server that talks to Coolify.
    """

    url: str
    project: str
    environment: str
    controller: str
    verify_tls: bool

    @property
    def api_url(self) -> str:
        """The base address of the API, without a trailing slash."""
        return f"{self.url}/api/v1"
