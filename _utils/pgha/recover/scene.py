"""What a recovery finds: who is left, whether etcd has a quorum, who leads, how far copies go."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import values
from pgha.errors import ConflictError, RefusedError
from pgha.recover.copies import Copy
from pgha.topology import Node, Topology

READING_TIMEOUT_S = 330
"""Reading the WAL since the last checkpoint, by default up to 1 GiB, on a slow disk."""
ALIVE = ("running", "restarting")


@dataclass
class Scene:
    """``leaders`` are nodes whose PostgreSQL takes writes by its own word, ``followers`` those
    whose Patroni has been running since before and whose PostgreSQL is a replica."""

    healthy_voters: list[str] = field(default_factory=list)
    leaders: list[str] = field(default_factory=list)
    followers: list[str] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)


def look(deployment: Deployment) -> Scene:
    """Ask every server that is left, all at once."""
    ask, hosts, cluster = deployment.fleet.ask, deployment.hosts, deployment.topology.cluster
    with (
        deployment.step("etcd, Patroni and the data on every server were looked at"),
        ThreadPoolExecutor(max_workers=3) as pool,
    ):
        etcd = pool.submit(ask, hosts, "etcd_cluster.status", cluster=cluster)
        patroni = pool.submit(ask, hosts, "patroni.status", cluster=cluster)
        copies = pool.submit(read_copies, deployment)
    topology, members = deployment.topology, values(patroni.result())
    return Scene(
        healthy_voters=_healthy_voters(topology, values(etcd.result())),
        leaders=_in_role(topology, members, "leader", ("running",)),
        followers=_in_role(topology, members, "replica", ("running", "streaming")),
        copies=copies.result(),
    )


def read_copies(deployment: Deployment) -> list[Copy]:
    """Every copy that is left, in declared order."""
    answers = values(
        deployment.fleet.ask(
            deployment.hosts,
            "postgres_data.position",
            cluster=deployment.topology.cluster,
            timeout_s=READING_TIMEOUT_S,
        )
    )
    return [
        Copy.from_answer(deployment.topology, host, answers[host])
        for host in deployment.hosts
        if answers[host]
    ]


def the_leader(scene: Scene) -> str | None:
    """The node that leads now, None when nobody does.

    Raises:
        ConflictError: two do.
    """
    if len(scene.leaders) > 1:
        raise ConflictError(
            f"{' and '.join(scene.leaders)} both take writes; stop Patroni on the one whose writes "
            "are to be lost (`salt HOST postgres_data.stop patroni`) and run again."
        )
    return scene.leaders[0] if scene.leaders else None


def may_go_on(deployment: Deployment, scene: Scene) -> bool:
    """Whether the leader can keep writing while etcd begins anew.

    A replica that knows the other members asks them before it takes a lead, and finds the primary
    alive (`Ha.is_healthiest_node` of Patroni 4.1). One whose Patroni has started without etcd
    knows nobody and could take it, so all members have to be replicas in good order.
    """
    known = {*scene.leaders, *scene.followers}
    return bool(scene.leaders) and known == {node.name for node in deployment.topology.nodes}


def without(topology: Topology, lost: Sequence[Node]) -> Topology:
    """The cluster as far as it is left. Its voters are those declared ones that are, an odd number
    of them; it has learners only when nobody is lost (the deploy lets them in again).

    Raises:
        RefusedError: nobody, or no voter, is left.
    """
    if not lost:
        return topology
    left = tuple(node for node in topology.nodes if node not in lost)
    if not left:
        raise RefusedError(
            "All nodes are named as lost; deploy a new cluster and restore a backup instead "
            "(docs/recovery.md, everything is gone)."
        )
    voters = tuple(name for name in topology.voters if name in [node.name for node in left])
    if not voters:
        names = ", ".join(node.name for node in left)
        raise RefusedError(
            f"None of the nodes that are left ({names}) is an etcd voter; name one of them in the "
            f"pillar (etcd_voters: [{left[0].name}]) and run again."
        )
    odd = voters[: len(voters) - (len(voters) + 1) % 2]
    return replace(topology, nodes=left, voters=odd, learners=())


def idle_voters(deployment: Deployment) -> list[str]:
    """Voters that have data and no etcd container that tries to use it."""
    return [
        name
        for name in deployment.topology.voters
        if deployment.has_data(deployment.topology.node(name), "etcd")
        and not any(
            state in ALIVE
            for state in deployment.live_states(deployment.topology.node(name), "etcd").values()
        )
    ]


def _healthy_voters(topology: Topology, answers: dict[str, Any]) -> list[str]:
    """Nodes that read through the quorum by their own minion's word."""
    return [
        topology.node(host).name
        for host, answer in answers.items()
        if answer["healthy"] and not answer["is_learner"]
    ]


def _in_role(
    topology: Topology, answers: dict[str, Any], role: str, states: Sequence[str]
) -> list[str]:
    return [
        topology.node(host).name
        for host, answer in answers.items()
        if answer["role"] == role and answer["state"] in states
    ]
