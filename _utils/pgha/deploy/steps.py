"""The steps of a deploy after the check, in order; each returns what it changed.

Every step can be run again at any time: it looks first, does what is missing, and waits with a
deadline for what it caused. None of them assumes that an earlier run ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.backup import told
from pgha.backup.take import backup_store
from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import applied_changes, values
from pgha.render.files import reload_action
from pgha.roll.plan import known_leader
from pgha.roll.run import recreate_the_unwell
from pgha.topology import Node

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
            pillar={"cluster": deployment.topology.cluster, **_backup_times(deployment)},
        )
        changes = applied_changes(results)
        _note_changed_files(deployment, changes)
        return changes


def _backup_times(deployment: Deployment) -> dict[str, Any]:
    """For the exporter of a replaced controller; where there was no backup, nobody is told."""
    found = told.times(backup_store(deployment).all())
    if not found[told.KIND] or not told.is_told(deployment.topology):
        return {}
    return {"backup_times": {deployment.controller: found}}


def _note_changed_files(deployment: Deployment, changes: Mapping[str, Any]) -> None:
    """What the roll has to look at: etcd's start-time files, and Patroni's, which may ask for a
    restart of PostgreSQL."""
    for host, states in changes.items():
        paths = [path for state in states.values() for path in state]
        node = deployment.topology.node(host)
        if any("/etcd/" in path and reload_action("etcd", path) == "restart" for path in paths):
            deployment.stale |= {node.name} if deployment.is_live(node, "etcd") else set()
        deployment.restarts |= any(path.endswith("/patroni.yml") for path in paths)


def run_leader(deployment: Deployment) -> dict[str, Any]:
    """A leader exists: that of the running cluster; else of the nodes with data, which decide it
    among themselves; else the preferred primary initialises one.

    Where some member runs, the cluster exists and the others can only join it. They are started at
    once: a leader that lost its containers takes its key back before the ttl ends, so that nobody
    fails over.
    """
    topology = deployment.topology
    live = [node for node in topology.nodes if deployment.is_live(node, "patroni")]
    with_data = [node for node in topology.nodes if deployment.has_data(node, "postgresql")]
    with deployment.step("PostgreSQL has a leader"):
        starting = topology.nodes if live else with_data or [topology.preferred_primary]
        changes = deployment.converge_stacks(starting, "patroni")
        if not deployment.test:
            # A server whose Patroni does not run knows no leader.
            asked = (live or starting)[0]
            deployment.leader = _wait(deployment, asked, "patroni.wait_leader", LEADER_DEADLINE_S)
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


def run_exporters(deployment: Deployment) -> dict[str, Any]:
    """An exporter on every server, from the declared text: restarting one disturbs nobody."""
    with deployment.step("every server has an exporter"):
        return deployment.converge_stacks(deployment.topology.nodes, "exporter", recreate=True)


def tell_applications(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Services tagged ``postgresql`` resolve the hostname to their own server's router."""
    with deployment.step("services tagged postgresql know the hostname"):
        answer = deployment.ask_one(
            deployment.controller, "coolify.tag_clients", test=deployment.test, timeout_s=60
        )
        return dict(answer["changes"]), list(answer.get("comments", []))


def prove(deployment: Deployment) -> dict[str, Any]:
    """From every server: a write through the hostname, a read of it on every replica, and an answer
    of its exporter."""
    with deployment.step("every server writes through the hostname, every replica shows it"):
        if deployment.test:
            return {}
        answers = deployment.fleet.ask(
            deployment.hosts,
            "postgres_node.prove",
            cluster=deployment.topology.cluster,
            timeout=PROOF_DEADLINE_S,
            exporter=True,
            timeout_s=PROOF_DEADLINE_S + 20,
        )
        values(answers)
        return {}


def _wait(deployment: Deployment, node: Node, function: str, deadline_s: int) -> Any:
    return deployment.ask_one(node.host, function, deadline=deadline_s, timeout_s=deadline_s + 30)
