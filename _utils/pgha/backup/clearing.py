"""Make room for a restore: stop PostgreSQL everywhere, keep its data aside, forget it in etcd.

Nothing is deleted but Patroni's keys in etcd; what was there can be put back by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import values
from pgha.render.compose import stack_name
from pgha.wait import Pending, poll

STOP_DEADLINE_S = 180
"""A shutdown checkpoint, within Coolify's queue and its 30 s."""
STOPPED = ("router", "patroni")
"""Clients are cut first; routers come back when the data is there."""


def data_found(deployment: Deployment) -> dict[str, int]:
    """``{minion id: bytes}`` of every server that has a data directory of the cluster."""
    answers = values(
        deployment.fleet.ask(
            deployment.hosts,
            "postgres_node.data",
            cluster=deployment.topology.cluster,
            timeout_s=60,
        )
    )
    return {host: found["bytes"] for host, found in answers.items() if found["present"]}


def clear(deployment: Deployment, label: str) -> dict[str, str]:
    """Leave no running PostgreSQL and no data in its place; ``{minion id: where the data is}``."""
    with deployment.step("routers and PostgreSQL are stopped on every server"):
        queued = deployment.ask_one(
            deployment.controller, "coolify.stop_stacks", list(STOPPED), timeout_s=120
        )
        _stop_left_out(deployment, queued)
        _wait_stopped(deployment)
    with deployment.step("the old data is kept aside"):
        aside = values(
            deployment.fleet.ask(
                deployment.hosts,
                "postgres_node.set_data_aside",
                label,
                cluster=deployment.topology.cluster,
            )
        )
    with deployment.step("etcd forgets the old cluster"):
        _forget(deployment)
        _look_again(deployment)
    return {host: path for host, path in aside.items() if path}


def _stop_left_out(deployment: Deployment, queued: Sequence[str]) -> None:
    """Coolify stops nothing that it believes stopped, and what it believes is minutes old: what an
    interrupted restore has just started is stopped on its server."""
    left = {host for stack, host in _running(deployment).items() if stack not in queued}
    if not left:
        return
    values(
        deployment.fleet.ask(
            sorted(left),
            "postgres_data.stop",
            list(STOPPED),
            cluster=deployment.topology.cluster,
            timeout_s=STOP_DEADLINE_S,
        )
    )


def _wait_stopped(deployment: Deployment) -> None:
    def check() -> bool | Pending:
        running = _running(deployment)
        return Pending(f"{', '.join(running)} still run") if running else True

    poll(
        check,
        deadline_s=STOP_DEADLINE_S,
        interval_s=1.0,
        what="Coolify to stop the routers and PostgreSQL",
    )


def _running(deployment: Deployment) -> dict[str, str]:
    """``{stack: minion id}``."""
    topology = deployment.topology
    answers = values(
        deployment.fleet.ask(deployment.hosts, "postgres_node.stacks", cluster=topology.cluster)
    )
    names = {
        stack_name(topology, node, component): node.host
        for node in topology.nodes
        for component in STOPPED
    }
    return {stack: host for stack, host in names.items() if _is_up(answers[host].get(stack, {}))}


def _is_up(services: Mapping[str, str]) -> bool:
    return any(state not in ("exited", "created", "dead") for state in services.values())


def _forget(deployment: Deployment) -> None:
    """Only where etcd runs; on servers that lost everything the deploy makes a new one."""
    topology = deployment.topology
    for node in (topology.node(name) for name in topology.voters):
        if deployment.is_live(node, "etcd"):
            deployment.ask_one(node.host, "etcd_cluster.forget_database")
            return


def _look_again(deployment: Deployment) -> None:
    """The steps that follow start what does not run, so they must know what was stopped."""
    facts: dict[str, Any] = values(
        deployment.fleet.ask(
            deployment.hosts, "postgres_node.facts", cluster=deployment.topology.cluster
        )
    )
    deployment.facts = facts
