"""Moving the lead under load, refusing to, and what remains when it is interrupted."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.lab import Lab, eventually
from tests.support.operations import operate
from tests.support.writes import Writes, conninfo

CLUSTER = "coolify_postgres"
MOST_LATENCY_S = 3.0
"""What a switchover may add to a pooled client's call (the whole call is measured)."""
OPEN_TRANSACTION = (
    "import sys, psycopg\n"
    "password = sys.stdin.readline().strip()\n"
    "with psycopg.connect(sys.argv[1], password=password) as connection:\n"
    "    connection.execute('SELECT 1')\n"
    "    print('open', flush=True)\n"
    "    sys.stdin.readline()\n"
    "print('committed')\n"
)


def timeline(lab: Lab) -> int:
    found: int = lab.status()["timeline"]
    return found


@contextmanager
def open_transaction(lab: Lab, server: str) -> Iterator[subprocess.Popen[str]]:
    """A pooled client that has begun a transaction and does not end it within the block."""
    command = ["docker", "exec", "-i", server, "/opt/salt/bin/python", "-c", OPEN_TRANSACTION]
    with subprocess.Popen(
        [*command, conninfo(6432)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin
        assert client.stdout
        client.stdin.write(lab.read_secret("postgresql/app_password.txt") + "\n")
        client.stdin.flush()
        assert client.stdout.readline().strip() == "open"
        try:
            yield client
        finally:
            client.communicate("end\n", timeout=60)


def test_switchovers_cost_pooled_clients_no_error(cluster: Lab) -> None:
    before, led = timeline(cluster), cluster.leader()
    target = next(server for server in cluster.servers if server != led)
    with Writes(cluster, cluster.controller, 6432, clients=20, pause_s=0.05) as writes:
        there = operate(cluster, "switchover", target_node=target)
        back = operate(cluster, "switchover", target_node=led)
    for done in (there, back):
        assert done["result"] is True, done["comment"]
        assert "every replica streams from it" in done["comment"]
    assert (writes.report["errors"], writes.lost) == (0, 0), writes.report
    assert writes.report["slowest"] <= MOST_LATENCY_S, writes.report
    assert (cluster.leader(), timeline(cluster)) == (led, before + 2)
    cluster.until_healthy()


def test_plan_and_refusals_change_nothing(cluster: Lab) -> None:
    led, before = cluster.leader(), timeline(cluster)
    replica = next(server for server in cluster.servers if server != led)
    plan = operate(cluster, "switchover", "test=True", target_node=replica)
    assert plan["result"] is None
    assert plan["changes"]["leader"]["old"] != plan["changes"]["leader"]["new"]
    assert "eligible" in plan["comment"]
    again = operate(cluster, "switchover", target_node=led)
    assert (again["result"], again["changes"]) == (True, {})
    assert "leads already" in again["comment"]
    unknown = operate(cluster, "switchover", target_node="nobody.lan")
    assert unknown["result"] is False
    assert "is not a node of cluster" in unknown["comment"]
    alive = operate(cluster, "failover", confirm=CLUSTER)
    assert alive["result"] is False
    assert "is alive" in alive["comment"]
    assert (cluster.leader(), timeline(cluster)) == (led, before)


def test_a_paused_cluster_is_refused(cluster: Lab) -> None:
    cluster.check(cluster.controller, "patronictl", "pause", "--wait")
    try:
        done = operate(cluster, "switchover")
    finally:
        cluster.check(cluster.controller, "patronictl", "resume", "--wait")
    assert done["result"] is False
    assert "patronictl resume" in done["comment"]


def test_an_open_transaction_ends_the_attempt_and_nobody_is_held(cluster: Lab) -> None:
    led = cluster.leader()
    with (
        Writes(cluster, cluster.controller, 6432, clients=5) as writes,
        open_transaction(cluster, cluster.controller),
    ):
        done = operate(cluster, "switchover", pause_limit=1)
    assert done["result"] is False
    assert f"pool of {cluster.controller}" in done["comment"]
    assert (writes.report["errors"], writes.lost) == (0, 0), writes.report
    assert cluster.leader() == led


def test_the_guard_lets_clients_go_when_the_switchover_is_killed(cluster: Lab) -> None:
    """Killed with SIGKILL while it waits for an open transaction, all other clients held."""
    led = cluster.leader()
    by, target = [server for server in cluster.servers if server != led][:2]
    nodes = {node["host"]: node["name"] for node in cluster.nodes()}
    with (
        Writes(cluster, cluster.controller, 6432, clients=5) as writes,
        open_transaction(cluster, cluster.controller),
    ):
        guards = cluster.salt("*", "postgres_pool.guard")
        assert all(isinstance(pid, int) for pid in guards.values()), guards
        asked = ("patroni.switchover", nodes[led], f"target={nodes[target]}", "pause_limit=90")
        asked_at = time.time()
        job = cluster.check(cluster.controller, "salt", "--async", by, *asked).split()[-1]
        eventually(
            lambda: paused_since(cluster, cluster.controller, asked_at),
            deadline_s=90,
            what="the pause",
        )
        cluster.salt(by, "saltutil.kill_job", job)
        routes = cluster.salt(cluster.controller, "postgres_node.routes")
        assert "is paused" in str(routes[cluster.controller]["pool"]["error"])
        eventually(lambda: not held(cluster), deadline_s=60, what="the guards' RESUME")
    assert (writes.report["errors"], writes.lost) == (0, 0), writes.report
    assert cluster.leader() == led


def held(lab: Lab) -> bool:
    """Whether any pool is paused."""
    return any(lab.salt("*", "postgres_pool.paused").values())


@pytest.mark.fault
def test_failover_when_the_leader_is_dead_and_nobody_may_take_over(cluster: Lab) -> None:
    """A paused cluster elects nobody; the operator does, and the deploy brings back the dead."""
    led = cluster.leader()
    witness = next(server for server in cluster.servers if server != led)
    with Writes(cluster, witness, 6432, clients=5) as writes:
        cluster.check(witness, "patronictl", "pause", "--wait")
        try:
            kill_postgresql(cluster, led)
            refused = operate(cluster, "failover")
            assert refused["result"] is False
            assert f"CONFIRM={CLUSTER}" in refused["comment"]
            done = operate(cluster, "failover", confirm=CLUSTER)
            assert done["result"] is True, done["comment"]
        finally:
            cluster.check(witness, "patronictl", "resume", "--wait")
        assert done["changes"]["leader"]["new"] != done["changes"]["leader"]["old"]
    # Replication is asynchronous: what was acknowledged in the very last moment may be gone.
    assert writes.lost <= 5, writes.report
    again = cluster.deploy()
    assert again.code == 0, again.stdout + again.stderr
    cluster.until_healthy()


@pytest.mark.fault
@pytest.mark.parametrize("who", ["leader", "target"])
def test_a_node_that_dies_in_the_middle(cluster: Lab, who: str) -> None:
    """Clients are let go, the sentence says what was seen, and a rerun ends well."""
    led = cluster.leader()
    target = next(server for server in cluster.servers if server != led)
    victim = led if who == "leader" else target
    witness = next(server for server in cluster.servers if server not in (led, target))
    with Writes(cluster, witness, 6432, clients=5) as writes:
        begun_at = time.time()
        running = subprocess.Popen(
            ["docker", "exec", cluster.controller, "salt-run", "state.orchestrate",
             "postgres.switchover", "--out=json", f'pillar={{"target_node": "{target}"}}'],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        eventually(
            lambda: paused_since(cluster, witness, begun_at), deadline_s=120, what="the pause"
        )
        kill_postgresql(cluster, victim)
        said, _ = running.communicate(timeout=300)
        eventually(lambda: not held(cluster), deadline_s=60, what="nobody held")
        cluster.leader()
    assert writes.lost <= 5, (writes.report, said)
    again = cluster.deploy()
    assert again.code == 0, again.stdout + again.stderr
    cluster.until_healthy()
    wanted = next(server for server in cluster.servers if server != cluster.leader())
    rerun = operate(cluster, "switchover", target_node=wanted)
    assert rerun["result"] is True, rerun["comment"]


def paused_since(lab: Lab, server: str, since: float) -> bool:
    """Whether PgBouncer of a server has logged a pause since then, in seconds of the epoch.

    The servers have this machine's clock. A look that comes late sees what the others missed.
    """
    log = lab.run(
        server, "sh", "-c",
        f"docker logs --since {since:.3f} $(docker ps -q --filter label=pgha.component=router "
        "--filter name=^pgbouncer) 2>&1",
    )  # fmt: skip
    return "PAUSE command issued" in log.stdout


def kill_postgresql(lab: Lab, server: str) -> None:
    """Kill the containers with PostgreSQL and Patroni of a server, as a crash would."""
    lab.check(
        server, "sh", "-c",
        "docker kill $(docker ps -q --filter label=pgha.component=patroni --filter name=^patroni)",
    )  # fmt: skip
