"""Topologies for tests."""

from __future__ import annotations

from typing import Any

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


def topology(**overrides: Any) -> Topology:
    """The four servers of the figure."""
    return Topology.from_pillar(pillar(**overrides))
