"""The steps of a deploy after the check, in order; each returns what it changed.

Every step can be run again at any time: it looks first, does what is missing, and waits with a
deadline for what it caused. None of them assumes that an earlier run ended.
"""

from __future__ import annotations

from typing import Any

from pgha.deploy.deployment import Deployment, single_state
from pgha.deploy.fleet import applied_changes, values
from pgha.errors import FailedError
from pgha.topology import Node

QUORUM_DEADLINE_S = 90
LEADER_DEADLINE_S = 180
"""initdb, the first leader race (one loop_wait) and a slow disk."""
STREAMING_DEADLINE_S = 600
"""A first copy of an empty cluster takes seconds; a returning node may have to catch up."""
PROOF_DEADLINE_S = 40


def configure_servers(deployment: Deployment) -> dict[str, Any]:
    """Directories, files, images and the hostname on every server, all servers in parallel."""
    with deployment.step("every server has its files, images and hostname"):
        results = deployment.fleet.apply(
            deployment.hosts,
            "postgres.node",
            test=deployment.test,
            pillar={"cluster": deployment.topology.cluster},
        )
        return applied_changes(results)


def run_etcd(deployment: Deployment) -> dict[str, Any]:
    """All voters at once, then quorum, then the learners one by one."""
    topology = deployment.topology
    voters = [topology.node(name) for name in topology.voters]
    with deployment.step(f"etcd has quorum ({len(voters)} voters)"):
        changes = deployment.converge_stacks(voters, "etcd")
        if not deployment.test or not changes:
            _wait(deployment, voters[0], "etcd_cluster.wait_quorum", QUORUM_DEADLINE_S)
    for name in topology.learners:
        changes |= _run_learner(deployment, topology.node(name), voters[0], new=bool(changes))
    return changes


def _run_learner(
    deployment: Deployment, learner: Node, voter: Node, *, new: bool
) -> dict[str, Any]:
    with deployment.step(f"{learner.name} is an etcd learner"):
        if deployment.test and new:
            return deployment.converge_stacks([learner], "etcd")
        added = single_state(
            deployment,
            voter.host,
            "etcd_cluster.member_present",
            name=learner.name,
            learner=True,
            cluster=deployment.topology.cluster,
        )
        changes = {f"etcd member {learner.name}": added} if added else {}
        return changes | deployment.converge_stacks([learner], "etcd")


def run_leader(deployment: Deployment) -> dict[str, Any]:
    """A leader exists: that of the running cluster, else the preferred primary initialises one.

    Where some member runs, the cluster exists and the others can only join it. They are started at
    once: a leader that lost its containers takes its key back before the ttl ends, so that nobody
    fails over.
    """
    topology = deployment.topology
    live = [node for node in topology.nodes if deployment.is_live(node, "patroni")]
    with deployment.step("PostgreSQL has a leader"):
        starting = topology.nodes if live else [topology.preferred_primary]
        changes = deployment.converge_stacks(starting, "patroni")
        if not deployment.test:
            _wait(deployment, (live or starting)[0], "patroni.wait_leader", LEADER_DEADLINE_S)
        return changes


def run_replicas(deployment: Deployment) -> dict[str, Any]:
    """Every other node runs and streams on the leader's timeline."""
    topology = deployment.topology
    with deployment.step(f"{len(topology.nodes) - 1} replicas stream"):
        changes = deployment.converge_stacks(topology.nodes, "patroni")
        if not deployment.test:
            _wait(
                deployment, topology.preferred_primary, "patroni.wait_streaming",
                STREAMING_DEADLINE_S,
            )  # fmt: skip
        return changes


def configure_database(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Dynamic configuration, roles and databases, on the leader; returns changes and comments."""
    with deployment.step("settings, roles and databases are as declared"):
        leader = leader_host(deployment)
        if leader is None:
            return {}, ["no leader yet, so nothing to compare with"] if deployment.test else []
        results = deployment.fleet.apply(
            [leader],
            "postgres.leader",
            test=deployment.test,
            pillar={"cluster": deployment.topology.cluster},
        )
        changes = applied_changes(results)
        comments = [
            comment
            for result in results.values()
            for comment in result.comments.values()
            if "restart" in comment
        ]
        return changes, comments


def leader_host(deployment: Deployment) -> str | None:
    """Minion id of the leader as the members see it; ``None`` when no member knows one."""
    answers = deployment.fleet.ask(
        deployment.hosts, "patroni.status", cluster=deployment.topology.cluster
    )
    for answer in answers.values():
        if answer.value and answer.value.get("leader"):
            return deployment.topology.node(answer.value["leader"]).host
    if deployment.test:
        return None
    raise FailedError("no member of the cluster knows a leader; see `pgha-logs patroni` on a node")


def run_routers(deployment: Deployment) -> dict[str, Any]:
    """A router on every server."""
    with deployment.step("every server has a router"):
        return deployment.converge_stacks(deployment.topology.nodes, "router")


def run_exporters(deployment: Deployment) -> dict[str, Any]:
    """An exporter on every server."""
    with deployment.step("every server has an exporter"):
        return deployment.converge_stacks(deployment.topology.nodes, "exporter")


def tell_applications(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Services tagged ``postgresql`` resolve the hostname to their own server's router."""
    with deployment.step("services tagged postgresql know the hostname"):
        answer = deployment.ask_one(
            deployment.controller, "coolify.tag_clients", test=deployment.test, timeout_s=60
        )
        return dict(answer["changes"]), list(answer.get("comments", []))


def prove(deployment: Deployment) -> dict[str, Any]:
    """From every server: a write through the hostname and a read of it on every replica."""
    with deployment.step("every server writes through the hostname, every replica shows it"):
        if deployment.test:
            return {}
        answers = deployment.fleet.ask(
            deployment.hosts,
            "postgres_node.prove",
            cluster=deployment.topology.cluster,
            timeout=PROOF_DEADLINE_S,
            timeout_s=PROOF_DEADLINE_S + 20,
        )
        values(answers)
        return {}


def _wait(deployment: Deployment, node: Node, function: str, deadline_s: int) -> None:
    deployment.ask_one(node.host, function, deadline=deadline_s, timeout_s=deadline_s + 30)
