"""The steps of a deploy after the check, in order; each returns what it changed.

Every step can be run again at any time: it looks first, does what is missing, and waits with a
deadline for what it caused. None of them assumes that an earlier run ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.deploy.deployment import Deployment, single_state
from pgha.deploy.fleet import applied_changes, values
from pgha.render.files import reload_action
from pgha.roll.plan import known_leader
from pgha.roll.run import recreate_the_unwell
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
        changes = applied_changes(results)
        _note_changed_files(deployment, changes)
        return changes


def _note_changed_files(deployment: Deployment, changes: Mapping[str, Any]) -> None:
    """What the roll has to look at: etcd's start-time files, and Patroni's, which may ask for a
    restart of PostgreSQL."""
    for host, states in changes.items():
        paths = [path for state in states.values() for path in state]
        node = deployment.topology.node(host)
        if any("/etcd/" in path and reload_action("etcd", path) == "restart" for path in paths):
            deployment.stale |= {node.name} if deployment.is_live(node, "etcd") else set()
        deployment.restarts |= any(path.endswith("/patroni.yml") for path in paths)


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
    """A leader exists: the running one, else the node where the cluster is initialised first."""
    topology = deployment.topology
    live = [node for node in topology.nodes if deployment.is_live(node, "patroni")]
    with deployment.step("PostgreSQL has a leader"):
        changes = {}
        if not live:
            changes = deployment.converge_stacks([topology.preferred_primary], "patroni")
        if not deployment.test:
            # A server whose Patroni does not run knows no leader.
            asked = live[0] if live else topology.preferred_primary
            deployment.leader = deployment.ask_one(
                asked.host,
                "patroni.wait_leader",
                deadline=LEADER_DEADLINE_S,
                timeout_s=LEADER_DEADLINE_S + 30,
            )
        return changes


def run_replicas(deployment: Deployment) -> dict[str, Any]:
    """Every other node runs and streams on the leader's timeline."""
    topology = deployment.topology
    with deployment.step(f"{len(topology.nodes) - 1} replicas stream"):
        changes = deployment.converge_stacks(topology.nodes, "patroni")
        changes |= recreate_the_unwell(deployment)
        if not deployment.test:
            _wait(
                deployment, topology.preferred_primary, "patroni.wait_streaming",
                STREAMING_DEADLINE_S,
            )  # fmt: skip
        return changes


def configure_database(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Dynamic configuration, roles and databases, on the leader; returns changes and comments."""
    with deployment.step("settings, roles and databases are as declared"):
        leader = known_leader(deployment)
        if leader is None:
            return {}, ["no leader yet, so nothing to compare with"] if deployment.test else []
        host = deployment.topology.node(leader).host
        results = deployment.fleet.apply(
            [host],
            "postgres.leader",
            test=deployment.test,
            pillar={"cluster": deployment.topology.cluster},
        )
        changes = applied_changes(results)
        deployment.restarts |= bool(changes)
        return changes, []


def run_routers(deployment: Deployment) -> dict[str, Any]:
    """A router on every server."""
    with deployment.step("every server has a router"):
        return deployment.converge_stacks(deployment.topology.nodes, "router")


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
