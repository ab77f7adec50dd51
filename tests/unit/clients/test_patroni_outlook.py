"""What a deploy must know beforehand, from a member that may not be there yet."""

from __future__ import annotations

from typing import Any

from pgha.patroni.client import PatroniClient
from pgha.patroni.outlook import outlook
from pgha.render.patroni import dynamic_config
from tests.support.clusters import topology
from tests.unit.clients.servers import closed_port, recorded, serve

CLUSTER = topology(postgresql_parameters={"max_connections": 250, "work_mem": "8MB"})
NODE = CLUSTER.nodes[1]


def look(url: str, known: dict[str, tuple[str, str]]) -> dict[str, Any]:
    declared = dynamic_config(CLUSTER)
    return outlook(CLUSTER, NODE, PatroniClient(url), declared, lambda node, names: known)


def test_changes_carry_the_context_and_the_present_value() -> None:
    known = {"max_connections": ("200", "postmaster"), "work_mem": ("4096", "user")}
    stored = {**dynamic_config(topology()), "ttl": 40}
    routes: Any = {
        "GET /cluster": (200, recorded("cluster")),
        "GET /patroni": (200, recorded("patroni_leader_pending_restart")),
        "GET /config": (200, stored),
    }
    with serve(routes) as server:
        seen = look(server.url, known)
    assert seen["leader"] == "postgres-node-1"
    assert seen["pending"] == {"max_connections": {"old_value": "200", "new_value": "150"}}
    assert seen["changes"] == {
        "ttl": {"old": 40, "new": 30, "context": None},
        "postgresql.parameters.max_connections": {
            "old": 200, "new": 250, "context": "postmaster",
        },
        "postgresql.parameters.work_mem": {"old": "4096", "new": "8MB", "context": "user"},
    }  # fmt: skip


def test_before_the_first_deploy_nothing_is_known_and_nothing_fails() -> None:
    with closed_port() as url:
        seen = look(url, {})
    assert (seen["leader"], seen["pending"], seen["changes"]) == (None, {}, {})
    assert "cannot be reached" in seen["error"]
