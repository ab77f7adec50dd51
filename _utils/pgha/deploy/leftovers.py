"""What an earlier declaration left on the servers; named, never removed without being asked."""

from __future__ import annotations

from pgha.deploy.deployment import Deployment
from pgha.render.compose import stack_name
from pgha.render.places import data_directory
from pgha.topology import Node


def etcd_leftovers(deployment: Deployment) -> list[str]:
    """A sentence per node that has an etcd container although it is only a client of the voters.

    It may still be a member that votes, so that removing it can cost the quorum: the operator
    decides when. The order matters, a member that is removed last would be missed as a dead one.
    """
    topology = deployment.topology
    return [
        _way_out(deployment, topology.node(name))
        for name in topology.etcd_clients
        if deployment.live_states(topology.node(name), "etcd")
    ]


def _way_out(deployment: Deployment, node: Node) -> str:
    topology = deployment.topology
    voter = topology.node(topology.voters[0]).host
    which = f"cluster={topology.cluster}"
    return (
        f"{node.name} still has an etcd container and is not planned as a member any more; remove "
        f"it with `salt {voter} etcd_cluster.member_remove {node.name} {which}`, then "
        f"`salt {deployment.controller} coolify.service_delete "
        f"{stack_name(topology, node, 'etcd')} {which}`, then delete "
        f"{data_directory(topology, 'etcd')} on {node.host}."
    )
