"""What a call of an execution module is about: which cluster, and which node of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.topology import Node, Topology
from pgha_minion.errors import operator_errors


def asked(
    pillar: Mapping[str, Any], minion: str, node: str | None = None, cluster: str | None = None
) -> tuple[Topology, Node]:
    """The cluster and the node that a call is about.

    Args:
        minion: the id of this minion.
        node: name or host; None for this server.
        cluster: None for the only one.

    Raises:
        CommandExecutionError: the pillar is wrong, or names no such cluster or node.
    """
    with operator_errors():
        topology = Topology.from_pillar(pillar, cluster)
        return topology, topology.node(node or minion)
