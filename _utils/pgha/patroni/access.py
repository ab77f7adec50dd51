"""Where a node's Patroni is and how one may ask it."""

from __future__ import annotations

from pgha.patroni.client import PatroniClient
from pgha.render.accounts import RESTAPI_USER
from pgha.render.places import CONFIG_ROOT
from pgha.topology import Node, Topology
from pgha.transport import TOTAL_TIMEOUT_S


def client_for(
    topology: Topology,
    node: Node,
    password: str | None = None,
    *,
    timeout: float = TOTAL_TIMEOUT_S,
    config_root: str = CONFIG_ROOT,
) -> PatroniClient:
    """The client of a node's Patroni; without password only for reading."""
    return PatroniClient(
        f"https://{node.url_host}:{topology.restapi_port}",
        f"{config_root}/{topology.cluster}/ca.crt",
        RESTAPI_USER if password else None,
        password,
        timeout,
        where=node.host,
    )
