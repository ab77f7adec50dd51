"""Ask every server and Coolify at once, as ``postgres.status`` does; changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pgha.deploy.fleet import Answer, Fleet
from pgha.status import assemble
from pgha.topology import Topology

QUESTIONS = {
    "patroni": "patroni.status",
    "etcd": "etcd_cluster.status",
    "routes": "postgres_node.routes",
}
TIMEOUT_S = 15


def observe(
    topology: Topology, fleet: Fleet, backup: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return :func:`pgha.status.assemble` of what everybody says right now."""
    hosts = [node.host for node in topology.nodes]
    with ThreadPoolExecutor(max_workers=4) as pool:
        asked = {
            key: pool.submit(
                fleet.ask, hosts, function, cluster=topology.cluster, timeout_s=TIMEOUT_S
            )
            for key, function in QUESTIONS.items()
        }
        survey = pool.submit(
            fleet.ask,
            [topology.coolify.controller],
            "coolify.stack_status",
            cluster=topology.cluster,
            timeout_s=TIMEOUT_S,
        )
    return assemble(
        topology,
        patroni=_values(asked["patroni"]),
        etcd=_values(asked["etcd"]),
        routes=_values(asked["routes"]),
        coolify=_coolify(survey.result()[topology.coolify.controller]),
        now=time.time(),
        backup=backup,
    )


def _values(asked: Future[dict[str, Answer]]) -> Mapping[str, Any]:
    return {
        minion: {"error": answer.error} if answer.error else answer.value
        for minion, answer in asked.result().items()
    }


def _coolify(answer: Answer) -> dict[str, Any] | None:
    if answer.silent:
        return None
    if answer.error:
        return {"reachable": False, "stacks": {}, "error": answer.error}
    return {"reachable": True, "stacks": answer.value, "error": None}
