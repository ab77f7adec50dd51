"""What Patroni keeps in etcd of one cluster, as a whole."""

from __future__ import annotations

from pgha.etcd.client import EtcdClient
from pgha.render.patroni import NAMESPACE
from pgha.topology import Topology


def forget(client: EtcdClient, topology: Topology) -> int:
    """Delete the cluster's keys and return how many there were.

    ``initialize`` among them names the system identifier of the old data; a member with another
    one, or none, would refuse or wait for ever.
    """
    return client.delete_prefix(f"{NAMESPACE}{topology.cluster}/")
