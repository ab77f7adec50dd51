"""What a change needs restarts one by one while clients go on; replicas are built anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.test_a_deploy import postmaster_start_times
from tests.integration.test_d_changes import setting
from tests.support.lab import Deploy, Lab
from tests.support.writes import Writes

POOL, CLIENTS = 6432, 50


def roll_under_load(lab: Lab) -> tuple[Deploy, Writes]:
    """Deploy while pooled clients write; the first one that the change disturbs would show."""
    with Writes(lab, lab.servers[1], POOL, CLIENTS) as writes:
        deployed = lab.deploy()
    return deployed, writes


def assert_nobody_noticed(deployed: Deploy, writes: Writes) -> None:
    assert deployed.code == 0, deployed.stdout + deployed.stderr
    assert writes.report["errors"] == 0, writes.report
    assert writes.lost == 0, writes.report


def test_max_connections_is_raised_and_lowered_under_fifty_clients(cluster: Lab) -> None:
    leader = cluster.leader()
    started = postmaster_start_times(cluster)
    with cluster.declared(postgresql_parameters={"max_connections": 230}):
        plan = cluster.deploy("test=True")
        said = json.dumps([state["comment"] for state in plan.states.values()])
        assert "max_connections 200 -> 230: switchover" in said
        assert postmaster_start_times(cluster) == started

        raised, writes = roll_under_load(cluster)
        assert_nobody_noticed(raised, writes)
        assert "Plan: max_connections 200 -> 230: switchover" in raised.stderr
        assert set(setting(cluster, "max_connections").values()) == {"230"}
        assert cluster.leader() != leader

    leader = cluster.leader()
    lowered, writes = roll_under_load(cluster)
    assert_nobody_noticed(lowered, writes)
    assert "max_connections 230 -> 200: leader restart" in lowered.stderr
    assert set(setting(cluster, "max_connections").values()) == {"200"}
    assert cluster.leader() == leader, "a lowered limit is restarted in place"
    cluster.until_healthy()
    again = cluster.deploy()
    assert again.changes == {}, again.changes


def test_etcd_restarts_for_its_file_one_member_at_a_time(cluster: Lab) -> None:
    """The file's age decides, so that an interrupted deploy is not forgotten."""
    path = "/etc/pgha/coolify_postgres/etcd/etcd.yml"
    started = _etcd_started(cluster)
    for server in cluster.servers[:2]:
        cluster.check(server, "touch", path)
    rolled = cluster.deploy()
    assert rolled.code == 0, rolled.stdout + rolled.stderr
    assert "Plan: configuration of etcd on" in rolled.stderr
    changed = {server for server, when in _etcd_started(cluster).items() if started[server] != when}
    assert changed == set(cluster.servers[:2])
    assert cluster.status()["etcd"]["healthy_voters"] == 3


def test_replica_is_built_anew_and_the_leader_is_refused(cluster: Lab) -> None:
    leader = cluster.leader()
    replica = next(server for server in cluster.servers if server != leader)
    refused = _reinit(cluster, leader)
    assert refused.code != 0
    assert "is the leader" in refused.failure
    started = postmaster_start_times(cluster)

    plan = _reinit(cluster, replica, "test=True")
    assert plan.code == 0
    assert postmaster_start_times(cluster) == started

    with Writes(cluster, cluster.servers[1], POOL, 5) as writes:
        built = _reinit(cluster, replica)
    assert built.code == 0, built.stdout + built.stderr
    assert (writes.report["errors"], writes.lost) == (0, 0), writes.report
    times = postmaster_start_times(cluster)
    assert {server for server in times if times[server] != started[server]} == {replica}
    cluster.until_healthy()


def test_replica_is_built_anew_by_its_own_minion(cluster: Lab) -> None:
    replica = next(server for server in cluster.servers if server != cluster.leader())
    answer = cluster.salt(replica, "patroni.reinit", timeout=300)[replica]
    assert answer["streams"] is True, answer


@pytest.mark.fault  # for its two minutes, not for a fault
def test_new_image_of_the_router_is_rolled_server_by_server(cluster: Lab) -> None:
    """The router's image is also that of Patroni's neighbour, so both stacks are recreated."""
    images = _images(cluster)
    old = next(image for image in images if "/router:" in image)
    new = f"{old}-next"
    for server in cluster.servers:
        cluster.check(server, "docker", "tag", old, new)
    before = cluster.containers()
    with cluster.declared(postgresql_images={"router": new}):
        plan = cluster.deploy("test=True")
        assert "router restart" in plan.stderr
        assert cluster.containers() == before

        rolled = cluster.deploy()
        assert rolled.code == 0, rolled.stdout + rolled.stderr
        assert "leader" in json.dumps(rolled.changes)
        assert new in _images(cluster)
        assert old not in _images(cluster)
        cluster.until_healthy()
        again = cluster.deploy()
        assert again.changes == {}, again.changes
    # Else the next test's deploy would roll all this back in the middle of something else.
    back = cluster.deploy()
    assert back.code == 0, back.stdout + back.stderr
    assert old in _images(cluster)
    cluster.until_healthy()


def _reinit(lab: Lab, node: str, *arguments: str) -> Deploy:
    pillar = json.dumps({"node": node})
    done = lab.salt_run(
        "state.orchestrate", "postgres.reinit", "--out=json", f"pillar={pillar}", *arguments
    )
    return Deploy(done, 0)


def _images(lab: Lab) -> set[str]:
    listing = ("docker", "ps", "--filter", "label=coolify.managed=true", "--format", "{{.Image}}")
    return {image for server in lab.servers for image in lab.check(server, *listing).split()}


def _etcd_started(lab: Lab) -> dict[str, Any]:
    script = "docker inspect -f '{{.State.StartedAt}}' $(docker ps -q --filter name=etcd-)"
    return {server: lab.check(server, "sh", "-c", script).strip() for server in lab.servers}
