"""Who may log in to PostgreSQL, from where and how: pg_hba.conf and pg_ident.conf.

Rules (the first matching line decides, PostgreSQL documentation 20.1):

- nothing without TLS but the container's own socket, no password but SCRAM;
- the superuser logs in on its own server only. The routers hide the client's address, so a line
  for the other nodes would open the superuser to everybody who reaches a router; from there, and
  from the declared administrators' networks, it therefore needs the certificate that only the Salt
  master has, besides its password;
- replication and rewind only between the nodes;
- applications, the pool and monitoring from the nodes (other servers' routers) and the declared
  application networks, which therefore must contain the servers' Docker networks: the router of
  the leader's own server comes from there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from pgha.render.accounts import (
    AUTH_DATABASE,
    MONITOR,
    PGBOUNCER,
    REPLICATOR,
    REWIND,
    SUPERUSER,
)
from pgha.topology import Node, Topology

SOCKET_MAP = "pgha"
LOOPBACK = "127.0.0.1/32"
CERTIFIED = " clientcert=verify-full"
"""The client's certificate is signed by the CA and names the role (documentation 20.3)."""


def hba_lines(topology: Topology, node: Node) -> list[str]:
    """The lines of pg_hba.conf on one node, in order."""
    nodes = [single_address(member.ip) for member in topology.nodes]
    reach = [*nodes, *topology.application_networks]
    application = f'"{topology.app_database}"', f'"{topology.app_user}"'
    return [
        f"local all {SUPERUSER} peer map={SOCKET_MAP}",
        f"local replication {REPLICATOR} peer map={SOCKET_MAP}",
        "local all all reject",
        "hostnossl all all all reject",
        "hostnossl replication all all reject",
        *_allow("all", SUPERUSER, [LOOPBACK, single_address(node.ip)]),
        *_allow("all", SUPERUSER, [*nodes, *topology.admin_networks], CERTIFIED),
        f"hostssl all {SUPERUSER} all reject",
        *_allow("replication", REPLICATOR, nodes),
        *_allow("all", REWIND, nodes),
        *_allow("all", MONITOR, [LOOPBACK, *reach]),
        *_allow(AUTH_DATABASE, PGBOUNCER, reach),
        *_allow(*application, reach),
        "host all all all reject",
        "host replication all all reject",
    ]


def ident_lines() -> list[str]:
    """pg_ident.conf: on the socket, the container's user is superuser and replicator."""
    return [f"{SOCKET_MAP} postgres {SUPERUSER}", f"{SOCKET_MAP} postgres {REPLICATOR}"]


def single_address(ip: str) -> str:
    """The network that holds just this address: ``/32`` or ``/128``."""
    return str(ipaddress.ip_network(ip))


def _allow(database: str, role: str, networks: Iterable[str], also: str = "") -> list[str]:
    return [f"hostssl {database} {role} {network} scram-sha-256{also}" for network in networks]
