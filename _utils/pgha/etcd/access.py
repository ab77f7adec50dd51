"""Where a node's etcd is and with which certificate one may ask it."""

from __future__ import annotations

from pgha.etcd.client import EtcdClient
from pgha.render.etcd import client_url
from pgha.render.places import CONFIG_ROOT
from pgha.topology import Node, Topology
from pgha.transport import TOTAL_TIMEOUT_S, TlsFiles


def client_for(
    topology: Topology,
    node: Node,
    *,
    timeout: float = TOTAL_TIMEOUT_S,
    config_root: str = CONFIG_ROOT,
) -> EtcdClient:
    """The client of a node's etcd, with this server's own client certificate."""
    root = f"{config_root}/{topology.cluster}"
    return EtcdClient(
        client_url(topology, node),
        TlsFiles(f"{root}/ca.crt", f"{root}/etcd/client.crt", f"{root}/etcd/client.key"),
        timeout,
        where=node.host,
    )
