"""Losses beyond a failover: a disk, all power, etcd, most of the servers.

Each test writes without a pause, breaks something, lets the named operation mend it, and counts:
every acknowledged row is found.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.support.lab import Lab, eventually
from tests.support.writes import Writes

POWER_DEADLINE_S = 150
"""Four servers start at once on two cores, and the old leader's ttl of 30 s has to pass."""


def docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, capture_output=True)


def state_of(lab: Lab) -> dict[str, Any]:
    """The status, or nothing while Salt on the controller is not up."""
    done = lab.salt_run("postgres.status", "--out=json")
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {}
    return found


def is_healthy(lab: Lab) -> bool:
    return bool(state_of(lab).get("healthy"))


def empty_disk(lab: Lab, server: str) -> None:
    """The server's machine is replaced by a new one of the same name and address."""
    docker("rm", "-f", server)
    short = server.split(".")[0]
    kinds = ("docker", "config", "data", "coolify")
    docker("volume", "rm", *(f"pgha-{lab.name}-{short}-{kind}" for kind in kinds))
    up = lab.cli("up", "--no-images")
    assert up.returncode == 0, up.stdout + up.stderr


def members(lab: Lab) -> dict[str, tuple[str, bool]]:
    """``{name: (id, learner)}`` as etcd lists them."""
    found = lab.salt(lab.controller, "etcd_cluster.members")[lab.controller]
    return {member["name"]: (member["id"], member["learner"]) for member in found}


def test_all_servers_lose_power_and_come_back_by_themselves(cluster: Lab) -> None:
    with Writes(cluster) as writes:
        eventually(lambda: len(writes.acknowledged) > 50, deadline_s=20, what="50 rows")
        docker("kill", *cluster.servers)
    docker("start", *cluster.servers)
    eventually(lambda: is_healthy(cluster), deadline_s=POWER_DEADLINE_S, what="a healthy cluster")
    assert writes.missing() == set()


@pytest.mark.fault
@pytest.mark.parametrize("name", ["postgres-node-1", "postgres-node-4"])
def test_dead_server_is_replaced_by_a_deploy(cluster: Lab, name: str) -> None:
    server = next(node["host"] for node in cluster.nodes() if node["name"] == name)
    before = members(cluster)
    with Writes(cluster, [other for other in cluster.servers if other != server]) as writes:
        empty_disk(cluster, server)
        again = cluster.deploy()
        assert again.code == 0, again.stdout + again.stderr
        eventually(lambda: is_healthy(cluster), deadline_s=60, what="a healthy cluster")
    after = members(cluster)
    assert after[name][0] != before[name][0]
    assert {n: learner for n, (_, learner) in after.items()} == {
        n: learner for n, (_, learner) in before.items()
    }
    assert {n: i for n, i in after.items() if n != name} == {
        n: i for n, i in before.items() if n != name
    }
    assert writes.missing() == set()
    assert cluster.deploy().changes == {}
