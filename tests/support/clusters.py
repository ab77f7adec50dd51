"""Topologies for tests."""

from __future__ import annotations

from typing import Any

from pgha.model.defaults import DEFAULTS, PORT_KEYS
from pgha.topology import Topology


def pillar(**overrides: Any) -> dict[str, Any]:
    """The pillar of the figure with overrides."""
    return {"coolify_url": "http://172.28.0.10:8000", **overrides}


def nodes_of(count: int, hosts: str = "server") -> list[dict[str, str]]:
    """``postgresql_nodes`` with as many nodes as asked for, on servers of that name."""
    return [
        {
            "name": f"postgres-node-{number}",
            "host": f"{hosts}-{number}.lan",
            "ip": f"172.28.0.{100 + number}",
            "role": "primary" if number == 1 else "replica",
        }
        for number in range(1, count + 1)
    ]


def two_clusters(**billing: Any) -> dict[str, Any]:
    """The cluster of the figure, and ``billing`` on two of its servers and one of its own."""
    nodes = [
        {"name": "billing-1", "host": "app-server-1.lan", "ip": "172.28.0.20", "role": "primary"},
        {"name": "billing-2", "host": "app-server-2.lan", "ip": "172.28.0.21", "role": "replica"},
        {"name": "billing-3", "host": "bills.lan", "ip": "172.28.0.40", "role": "replica"},
    ]
    ports = {key: DEFAULTS[key] + 10000 for key in PORT_KEYS}
    more = {"postgresql_hostname": "billing.test.lan", "postgresql_nodes": nodes, **ports}
    # Declared as in the real pillar, where the defaults are written out.
    return pillar(
        postgresql_nodes=DEFAULTS["postgresql_nodes"],
        postgresql_clusters={"billing": {**more, **billing}},
    )


def topology(**overrides: Any) -> Topology:
    """The four servers of the figure."""
    return Topology.from_pillar(pillar(**overrides))
