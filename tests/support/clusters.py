"""Topologies for tests."""

from __future__ import annotations

from typing import Any

from pgha.topology import Topology


def pillar(**overrides: Any) -> dict[str, Any]:
    """The pillar of the figure with overrides."""
    return {"coolify_url": "http://172.28.0.10:8000", **overrides}


def topology(**overrides: Any) -> Topology:
    """The four servers of the figure."""
    return Topology.from_pillar(pillar(**overrides))
