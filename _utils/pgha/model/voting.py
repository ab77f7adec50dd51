"""``etcd_voters`` as operators write it: nodes by name or by host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def named_voters(wanted: object, settings: Mapping[str, Any]) -> object:
    """The declared voters with hosts replaced by node names; anything else as it is."""
    if not isinstance(wanted, (list, tuple)):
        return wanted
    names = names_by_host(settings["postgresql_nodes"])
    return [names.get(voter, voter) if isinstance(voter, str) else voter for voter in wanted]


def names_by_host(nodes: object) -> dict[str, str]:
    """Host -> node name of every node that has both."""
    if not isinstance(nodes, (list, tuple)):
        return {}
    readable = [node for node in nodes if isinstance(node, Mapping)]
    return {str(node.get("host")): str(node["name"]) for node in readable if "name" in node}
