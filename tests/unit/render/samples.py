"""A cluster to render: any number of nodes, and secrets that can be found again in any text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pgha.topology import Node, Topology
from tests.support.clusters import nodes_of

GOLDEN = Path(__file__).parent / "golden"
PASSWORDS = ("superuser", "replicator", "rewind", "pgbouncer", "monitor", "restapi")
VERIFIERS = ("superuser", "replicator", "rewind", "pgbouncer", "monitor", "app")
CERTIFICATES = ("etcd-server", "etcd-client", "patroni", "postgresql", "pgbouncer", "exporter")


def topology(nodes: int = 4, **pillar: Any) -> Topology:
    """The figure's cluster, or one with as many nodes as asked for."""
    if nodes != 4:
        pillar["postgresql_nodes"] = nodes_of(nodes)
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
            "web_hashes": {"exporter": "CANARY-hash-exporter"},
            "verifiers": {name: f"CANARY-verifier-{name}" for name in VERIFIERS},
        }
    }


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")
