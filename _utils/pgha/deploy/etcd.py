"""etcd in a deploy: a new cluster begins with all voters at once, a lost member is let in again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pgha.deploy.deployment import Deployment, single_state
from pgha.render.etcd import peer_url
from pgha.topology import Node
from pgha.voters import quorum_of

QUORUM_DEADLINE_S = 90
REJOIN_TIMEOUT_S = 120
"""Stopping etcd, and twice the time in which etcd accepts a change of its members."""
JOIN_DEADLINE_S = 60


def run_etcd(deployment: Deployment) -> dict[str, Any]:
    """Every declared voter votes and every learner follows.

    A new cluster begins with all voters at once. In one that exists, whoever has no data (a
    replaced server) or data of another cluster (one that was given up) is let in anew.
    """
    topology = deployment.topology
    voters = [topology.node(name) for name in topology.voters]
    exists = _exists(deployment, voters)
    with deployment.step(f"etcd has quorum ({len(voters)} voters)"):
        changes = _mend_voters(deployment, voters) if exists else _begin(deployment, voters)
    for name in topology.learners:
        changes |= _run_learner(deployment, topology.node(name), voters[0], exists, bool(changes))
    return changes


def _exists(deployment: Deployment, voters: Sequence[Node]) -> bool:
    """False for a new cluster, also when its first deploy was interrupted before it had a quorum.

    The check has refused a cluster with PostgreSQL data whose etcd has lost its own.
    """
    kept = sum(deployment.has_data(node, "etcd") for node in voters)
    return kept >= quorum_of(len(voters)) or any(
        deployment.has_data(node, "postgresql") for node in deployment.topology.nodes
    )


def _begin(deployment: Deployment, voters: Sequence[Node]) -> dict[str, Any]:
    changes = deployment.converge_stacks(voters, "etcd")
    if not deployment.test or not changes:
        wait_quorum(deployment, voters[0])
    return changes


def _mend_voters(deployment: Deployment, voters: Sequence[Node]) -> dict[str, Any]:
    """Start who has data; let in again who has none, or none of this cluster."""
    empty = [node for node in voters if not deployment.has_data(node, "etcd")]
    changes = deployment.converge_stacks([n for n in voters if n not in empty], "etcd")
    if deployment.test:
        return changes | {f"etcd member {node.name}": _planned(node) for node in empty}
    # One voter that reads through the quorum proves that there is one.
    healthy = wait_quorum(deployment, voters[0], voters=1)
    if set(healthy) == {node.name for node in voters}:
        return changes
    members = deployment.ask_one(voters[0].host, "etcd_cluster.members")
    for node in voters:
        if node in empty or not _lists(deployment, members, node):
            changes |= rejoin(deployment, node)
        elif _is_learner(members, node):
            changes |= _finish(deployment, node, {"old": "learner", "new": "voter"})
    wait_quorum(deployment, voters[0])
    return changes


def _run_learner(
    deployment: Deployment, learner: Node, voter: Node, exists: bool, changed: bool
) -> dict[str, Any]:
    has_data = deployment.has_data(learner, "etcd")
    with deployment.step(f"{learner.name} is an etcd learner"):
        if deployment.test and (changed or (exists and not has_data)):
            planned = {f"etcd member {learner.name}": _planned(learner)} if exists else {}
            return planned | deployment.converge_stacks([learner], "etcd")
        if exists and not has_data:
            return rejoin(deployment, learner)
        added = single_state(
            deployment,
            voter.host,
            "etcd_cluster.member_present",
            name=learner.name,
            learner=True,
            cluster=deployment.topology.cluster,
        )
        if added and has_data and not deployment.test:
            # Nobody here knew it, so its data is of another cluster.
            return rejoin(deployment, learner)
        changes = {f"etcd member {learner.name}": added} if added else {}
        return changes | deployment.converge_stacks([learner], "etcd")


def rejoin(deployment: Deployment, node: Node) -> dict[str, Any]:
    """Let a node's etcd in as a new member and wait until it serves.

    An interrupted run is taken up by doing it again: the entry that it made is removed first.
    """
    cluster = deployment.topology.cluster
    with deployment.step(f"{node.name} joins etcd with empty data"):
        done = deployment.ask_one(node.host, "etcd_member.rejoin", timeout_s=REJOIN_TIMEOUT_S)
        deployment.forget(node, "etcd")
        changes = deployment.converge_stacks([node], "etcd")
        old = f"member {done['removed']} of {cluster}" if done["removed"] else None
        change = {"old": old, "new": "a new member"}
        if done["set_aside"]:
            change["set_aside"] = done["set_aside"]
        return changes | _finish(deployment, node, change)


def _finish(deployment: Deployment, node: Node, change: dict[str, Any]) -> dict[str, Any]:
    deployment.ask_one(
        node.host, "etcd_member.joined", deadline=JOIN_DEADLINE_S, timeout_s=JOIN_DEADLINE_S + 90
    )
    return {f"etcd member {node.name}": change}


def wait_quorum(deployment: Deployment, node: Node, voters: int | None = None) -> list[str]:
    """The names of the voters that read through the quorum, as soon as enough do."""
    healthy: list[str] = deployment.ask_one(
        node.host,
        "etcd_cluster.wait_quorum",
        deadline=QUORUM_DEADLINE_S,
        voters=voters,
        timeout_s=QUORUM_DEADLINE_S + 30,
    )
    return healthy


def _planned(node: Node) -> dict[str, Any]:
    return {"old": "no data here", "new": f"{node.name} joins as a new member"}


def _lists(deployment: Deployment, members: Sequence[Mapping[str, Any]], node: Node) -> bool:
    url = peer_url(deployment.topology, node)
    return any(member["name"] == node.name or url in member["peer_urls"] for member in members)


def _is_learner(members: Sequence[Mapping[str, Any]], node: Node) -> bool:
    return any(member["name"] == node.name and member["learner"] for member in members)
