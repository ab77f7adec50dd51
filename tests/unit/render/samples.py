"""A cluster to render: any number of nodes, and secrets that can be found again in any text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pgha.topology import Node, Topology

GOLDEN = Path(__file__).parent / "golden"
PASSWORDS = ("superuser", "replicator", "rewind", "pgbouncer", "monitor", "restapi")
VERIFIERS = ("superuser", "replicator", "rewind", "pgbouncer", "monitor", "app")
CERTIFICATES = ("etcd-server", "etcd-client", "patroni", "postgresql", "pgbouncer")


def topology(nodes: int = 4, **pillar: Any) -> Topology:
    """The figure's cluster, or one with as many nodes as asked for."""
    if nodes != 4:
        pillar["postgresql_nodes"] = [_node(number) for number in range(1, nodes + 1)]
    return Topology.from_pillar(pillar)


def node(cluster: Topology, number: int) -> Node:
    return cluster.nodes[number - 1]


def secrets() -> dict[str, Any]:
    """What a node's pillar holds; every private value begins with CANARY."""
    return {
        "pgha": {
            "ca_crt": "the CA certificate\n",
            "node": {
                name: {"crt": f"certificate {name}\n", "key": f"CANARY-key-{name}\n"}
                for name in CERTIFICATES
            },
            "passwords": {name: f"CANARY-password-{name}" for name in PASSWORDS},
            "verifiers": {name: f"CANARY-verifier-{name}" for name in VERIFIERS},
        }
    }


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


def _node(number: int) -> dict[str, str]:
    return {
        "name": f"postgres-node-{number}",
        "host": f"server-{number}.lan",
        "ip": f"172.28.0.{100 + number}",
        "role": "primary" if number == 1 else "replica",
    }
