"""A leader that dies in the middle of an operation; the same command, run again, ends well.

Writes go on all the time. Replication is asynchronous, so what was acknowledged in the very last
moment before a death may be gone, and nothing else.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.test_d_changes import setting
from tests.integration.test_g_switchover import kill_postgresql, paused_since
from tests.integration.test_h_backup import (
    ask,
    leader,
    listed,
    manifest,
    orchestrate,
    succeeded,
    writing,
)
from tests.integration.test_j_recover import (
    CONTAINER_OF,
    destroy_etcd,
    docker,
    has_all_rows,
    is_healthy,
    recover,
    remove_disk,
    servers_up,
)
from tests.support.lab import Deploy, Lab, eventually
from tests.support.rows import Writes
from tests.support.running import Running

CLUSTER = "coolify_postgres"
DATA = f"/var/lib/pgha/{CLUSTER}/postgresql/data"
LAST_MOMENT = 5
"""Rows."""


def nothing_is_lost(writes: Writes) -> None:
    missing = writes.missing()
    assert len(missing) <= LAST_MOMENT, (len(missing), len(writes.acknowledged))


def ends_healthy(lab: Lab) -> None:
    """A deploy finds, or makes, a healthy cluster."""
    succeeded(lab.deploy())
    eventually(lambda: is_healthy(lab), deadline_s=150, what="a healthy cluster")


def leader_to_lose(lab: Lab) -> str:
    """The leader, which is moved when it shares its server with the Salt master."""
    if leader(lab) == lab.controller:
        succeeded(orchestrate(lab, "switchover", target_node=lab.servers[0]))
    return leader(lab)


def lose_power(lab: Lab, server: str) -> None:
    """Without a last word: the kernel of a server that is only killed ends its connections."""
    script = "iptables -I INPUT -j DROP && iptables -I OUTPUT -j DROP"
    lab.check(server, "sh", "-c", script)
    docker("kill", server)


@contextmanager
def stopped_copy(lab: Lab, server: str) -> Iterator[None]:
    """The next base backup made there comes to a stop when some of it has arrived."""
    copying = "pgrep -x pg_basebackup > /dev/null"
    arrived = f'[ "0$(du -sm {DATA} 2> /dev/null | cut -f1)" -ge 8 ]'
    script = f"until {copying} && {arrived}; do :; done; pkill -STOP -x pg_basebackup"
    with subprocess.Popen(["docker", "exec", server, "sh", "-c", script]) as stopping:
        try:
            yield
        finally:
            stopping.kill()
            lab.run(server, "pkill", "-CONT", "-x", "pg_basebackup")


def copy_is_stopped(lab: Lab, server: str) -> bool:
    states = lab.run(server, "ps", "-C", "pg_basebackup", "-o", "state=").stdout.split()
    return bool(states) and set(states) == {"T"}


@pytest.mark.fault
def test_the_leaders_server_dies_while_a_replica_is_built_anew(cluster: Lab) -> None:
    """Its end of the connection says nothing any more, which the copy has to notice itself."""
    led = leader_to_lose(cluster)
    replica = next(each for each in cluster.servers if each not in (led, cluster.controller))
    with Writes(cluster, [each for each in cluster.servers if each != led]) as writes:
        with stopped_copy(cluster, replica):
            run = Running(cluster, "reinit", node=replica)
            run.reaches(lambda: copy_is_stopped(cluster, replica), "a copy in the middle")
            lose_power(cluster, led)
        try:
            ended = run.ends()
        finally:
            docker("start", led)
        assert ended.code == 0, ended.failure
        eventually(lambda: leader(cluster) != led, deadline_s=120, what="another leader")
        rerun = succeeded(orchestrate(cluster, "reinit", node=replica))
        assert "streams on timeline" in rerun.stdout
    nothing_is_lost(writes)
    eventually(lambda: is_healthy(cluster), deadline_s=180, what="a healthy cluster")
    ends_healthy(cluster)


@contextmanager
def stopped_restart(lab: Lab, server: str) -> Iterator[None]:
    """PostgreSQL there cannot shut down within the block: its checkpointer does not answer."""
    signal = ("-f", "^postgres: .*checkpointer")
    lab.check(server, "pkill", "-STOP", *signal)
    try:
        yield
    finally:
        lab.run(server, "pkill", "-CONT", *signal)


def is_restarting(lab: Lab, server: str) -> bool:
    asked = ("curl", "-s", "--max-time", "10", "http://localhost:8008/patroni")
    said = lab.run(server, *asked).stdout
    # Nothing, or a page of the proxy before it, while Patroni is too busy to answer.
    return said.startswith("{") and json.loads(said)["state"] in ("restarting", "stopping")


def max_connections(value: int) -> dict[str, Any]:
    """Every member restarts for it; raised, replicas first."""
    return {"postgresql_parameters": {"max_connections": value}}


def goes_on(lab: Lab, ended: Deploy, value: int) -> None:
    """The deploy that was disturbed ended with a sentence; the next one ends well."""
    assert ended.code != 0, ended.stdout
    succeeded(lab.deploy())
    assert set(setting(lab, "max_connections").values()) == {str(value)}


@pytest.mark.fault
def test_the_leader_dies_while_a_change_restarts_a_replica(cluster: Lab) -> None:
    led = leader(cluster)
    first = next(node["host"] for node in cluster.nodes() if node["host"] != led)
    with cluster.declared(**max_connections(230)), Writes(cluster) as writes:
        with stopped_restart(cluster, first):
            run = Running(cluster, "deploy")
            run.reaches(lambda: is_restarting(cluster, first), f"the restart of {first}")
            kill_postgresql(cluster, led)
        goes_on(cluster, run.ends(), 230)
    nothing_is_lost(writes)
    eventually(lambda: is_healthy(cluster), deadline_s=150, what="a healthy cluster")


@pytest.mark.fault
def test_the_leader_dies_while_a_change_moves_the_lead(cluster: Lab) -> None:
    led = leader(cluster)
    with cluster.declared(**max_connections(240)), Writes(cluster) as writes:
        begun_at = time.time()
        run = Running(cluster, "deploy")
        run.reaches(lambda: paused_since(cluster, cluster.controller, begun_at), "the pause")
        kill_postgresql(cluster, led)
        goes_on(cluster, run.ends(), 240)
    nothing_is_lost(writes)
    ends_healthy(cluster)


SLOW = "CREATE MATERIALIZED VIEW slow AS SELECT 1 AS one FROM pg_sleep(8)"
"""Filled once more at the end of a restore, which is its middle for a while."""
LOADING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'REFRESH MATERIALIZED VIEW%'"


@pytest.mark.fault
def test_the_leader_dies_while_a_backup_is_loaded_into_it(cluster: Lab) -> None:
    first = cluster.servers[0]
    ask(cluster, SLOW)
    with writing(cluster) as written:
        succeeded(orchestrate(cluster, "backup"))
    backup = str(listed(cluster)[0]["name"])
    rows = manifest(cluster, backup)["databases"]["application"]["rows"]["public.written"]
    assert rows <= written.total

    def is_loading() -> bool:
        query = ("psql", "-XAtq", "-d", "application", "-c", LOADING)
        return cluster.run(first, *query).stdout.strip() == "1"

    run = Running(cluster, "restore", backup_file=backup, confirm=CLUSTER)
    run.reaches(is_loading, "a restore that loads")
    kill_postgresql(cluster, first)
    ended = run.ends()
    assert ended.code != 0, ended.stdout
    assert "it begins anew" in ended.failure
    succeeded(orchestrate(cluster, "restore", backup_file=backup, confirm=CLUSTER))
    assert int(ask(cluster, "SELECT count(*) FROM written")) == rows
    ask(cluster, "DROP MATERIALIZED VIEW slow")
    for server in cluster.servers:
        cluster.check(server, "sh", "-c", f"rm -rf {DATA}.before-restore-*")
    ends_healthy(cluster)


@pytest.mark.fault
def test_the_leader_dies_while_etcd_begins_anew(cluster: Lab) -> None:
    led = leader(cluster)
    with Writes(cluster) as writes:
        destroy_etcd(cluster)
        run = Running(cluster, "recover_etcd", confirm=CLUSTER)
        run.reaches(lambda: run.has_said("is set aside on"), "that etcd's data is set aside")
        kill_postgresql(cluster, led)
        if run.ends().code != 0:
            succeeded(recover(cluster, "recover_etcd", confirm=CLUSTER))
        eventually(lambda: is_healthy(cluster), deadline_s=150, what="a healthy cluster")
    nothing_is_lost(writes)
    ends_healthy(cluster)


@pytest.mark.fault
def test_the_survivor_dies_before_another_holds_its_rows(cluster: Lab) -> None:
    """The other copy is older; while the newest one is down it must not take the lead."""
    gone = [f"{name}.{cluster.domain}" for name in ("app-server-1", "app-server-2")]
    newest, behind = cluster.controller, f"builder.{cluster.domain}"
    if leader(cluster) not in gone:
        succeeded(orchestrate(cluster, "switchover", target_node=gone[0]))
    cluster.check(behind, "sh", "-c", f"{CONTAINER_OF.format('patroni')} | xargs docker stop")
    with Writes(cluster) as writes:
        eventually(lambda: len(writes.acknowledged) > 50, deadline_s=60, what="50 rows")
    eventually(lambda: has_all_rows(cluster, writes), deadline_s=30, what="all rows on node 3")
    docker("kill", *gone)
    run = Running(cluster, "recover_survivors", lost=gone, confirm=CLUSTER)
    run.reaches(lambda: run.has_said("postgres-node-3 leads"), "that the survivor leads", 180)
    kill_postgresql(cluster, newest)
    ended = run.ends()
    assert ended.code != 0, ended.stdout
    assert "postgres-node-3" in ended.failure
    succeeded(recover(cluster, "recover_survivors", lost=gone, confirm=CLUSTER))
    survivors = [newest, behind]
    assert Writes(cluster, survivors, acknowledged=writes.acknowledged).missing() == set()
    for server in gone:
        remove_disk(cluster, server)
    servers_up(cluster)
    ends_healthy(cluster)
    assert writes.missing() == set()
