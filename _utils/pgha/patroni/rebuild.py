"""Begin to build a replica anew, and see how far it is, over the cluster's own connections."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgha.node.room import free_bytes, used_bytes
from pgha.patroni import access, reinit
from pgha.pg.basebackup import copy_for, databases_size
from pgha.pg.settings import member_settings
from pgha.render.accounts import MONITOR
from pgha.render.places import data_directory
from pgha.topology import Node, Topology


def begin(
    topology: Topology,
    node: Node,
    passwords: Mapping[str, str],
    *,
    here: bool,
    confirm: str | None = None,
    test: bool = False,
) -> reinit.Begun:
    """Have Patroni throw a replica's data away and copy the leader's; a copy under way goes on.

    Args:
        passwords: ``restapi`` and ``monitor``.
        here: this is the node's server, so whether the copy fits can be checked.
        confirm: the cluster's name, to build the only healthy replica anew.
        test: only say what would be begun, which loses nothing and needs no confirmation.

    Raises:
        RefusedError: see `pgha.patroni.reinit.plan` and `pgha.patroni.reinit.require_room`.
    """
    confirmed = topology.cluster if test else confirm
    begun = reinit.plan(topology, node, lambda each: access.client_for(topology, each), confirmed)
    if begun.resumed:
        return begun
    if here:
        _require_room(topology, node, begun.leader, passwords["monitor"])
    if not test:
        access.client_for(topology, node, passwords["restapi"]).reinitialize()
    return begun


def seen(topology: Topology, node: Node, monitor: str) -> dict[str, Any]:
    """`pgha.patroni.reinit.observe` of a node; ``monitor`` is pgha_monitor's password."""
    return reinit.observe(
        topology,
        node,
        lambda each: access.client_for(topology, each),
        lambda leader: copy_for(member_settings(topology, leader, MONITOR, monitor), node.ip),
    )


def _require_room(topology: Topology, node: Node, leader: str, monitor: str) -> None:
    settings = member_settings(topology, topology.node(leader), MONITOR, monitor)
    data = Path(data_directory(topology, "postgresql"))
    reinit.require_room(node, databases_size(settings), free_bytes(data), used_bytes(data))
