"""Losses beyond a failover: a disk, all power, etcd, most of the servers.

Each test writes without a pause, breaks something, lets the named operation mend it, and counts:
every acknowledged row is found.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.support.lab import Deploy, Lab, eventually
from tests.support.rows import TABLE, Writes

POWER_DEADLINE_S = 300
"""Four servers start at once on two cores, and the old leader's ttl of 30 s has to pass."""

CONTAINER_OF = "docker ps -q --filter label=com.docker.compose.service={}"


def docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, capture_output=True)


def state_of(lab: Lab) -> dict[str, Any]:
    """The status, or nothing while Salt on the controller is not up."""
    done = lab.salt_run("postgres.status", "--out=json")
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_healthy(lab: Lab) -> bool:
    return bool(state_of(lab).get("healthy"))


def runs(lab: Lab, server: str) -> bool:
    """Whether PostgreSQL of that server runs, as its own Patroni says."""
    return lab.salt(server, "patroni.status")[server]["state"] in ("running", "streaming")


def remove_disk(lab: Lab, server: str) -> None:
    docker("rm", "-f", server)
    short = server.split(".")[0]
    kinds = ("docker", "config", "data", "coolify")
    docker("volume", "rm", *(f"pgha-{lab.name}-{short}-{kind}" for kind in kinds))


def empty_disk(lab: Lab, server: str) -> None:
    """The server's machine is replaced by a new one of the same name and address."""
    remove_disk(lab, server)
    servers_up(lab)


def servers_up(lab: Lab) -> None:
    """Servers made anew are made known to Salt and Coolify, as their operator would do."""
    up = lab.cli("up", "--no-images")
    assert up.returncode == 0, up.stdout + up.stderr
    lab.coolify("POST", "status-pass")


def recover(lab: Lab, name: str, *arguments: str, **pillar: Any) -> Deploy:
    """Run a recovery; what it printed."""
    return Deploy(
        lab.salt_run(
            "state.orchestrate", f"postgres.{name}", "--out=json", f"pillar={json.dumps(pillar)}",
            *arguments,
        ),
        0.0,
    )  # fmt: skip


def comment(run: Deploy) -> str:
    """What the recovery told the operator."""
    (state,) = run.states.values()
    return str(state["comment"])


def refused(run: Deploy, *words: str) -> None:
    assert run.code != 0, run.stdout
    assert all(word in run.failure for word in words), run.failure
    assert "Traceback" not in run.stdout + run.stderr


def destroy_etcd(lab: Lab) -> None:
    """Every member of etcd loses its container and its data at once."""
    kill = f"{CONTAINER_OF.format('etcd')} | xargs docker kill"
    for server in lab.servers:
        lab.check(server, "sh", "-c", f"{kill} && rm -rf /var/lib/pgha/*/etcd/data")


def members(lab: Lab) -> dict[str, tuple[str, bool]]:
    """``{name: (id, learner)}`` as etcd lists them."""
    found = lab.salt(lab.controller, "etcd_cluster.members")[lab.controller]
    return {member["name"]: (member["id"], member["learner"]) for member in found}


def test_all_servers_lose_power_and_come_back_by_themselves(cluster: Lab) -> None:
    # A reload must not make Docker take the container for one that was stopped by hand.
    for service in ("patroni", "restapi", "haproxy", "pgbouncer"):
        assert all(cluster.salt("*", "postgres_node.reload", service).values())
    with Writes(cluster) as writes:
        eventually(lambda: len(writes.acknowledged) > 50, deadline_s=60, what="50 rows")
        docker("kill", *cluster.servers)
    docker("start", *cluster.servers)
    eventually(lambda: is_healthy(cluster), deadline_s=POWER_DEADLINE_S, what="a healthy cluster")
    assert writes.missing() == set()


@pytest.mark.fault
def test_patroni_starts_while_the_first_voters_server_is_dead(cluster: Lab) -> None:
    first, other = (f"{name}.{cluster.domain}" for name in ("app-server-1", "app-server-2"))
    docker("kill", first)
    try:
        cluster.check(other, "sh", "-c", f"{CONTAINER_OF.format('patroni')} | xargs docker restart")
        eventually(lambda: runs(cluster, other), deadline_s=150, what=f"PostgreSQL on {other}")
    finally:
        docker("start", first)
    eventually(lambda: is_healthy(cluster), deadline_s=POWER_DEADLINE_S, what="a healthy cluster")


@pytest.mark.fault
@pytest.mark.parametrize("name", ["postgres-node-1", "postgres-node-4"])
def test_dead_server_is_replaced_by_a_deploy(cluster: Lab, name: str) -> None:
    server = next(node["host"] for node in cluster.nodes() if node["name"] == name)
    before = members(cluster)
    with Writes(cluster, [other for other in cluster.servers if other != server]) as writes:
        empty_disk(cluster, server)
        again = cluster.deploy()
        assert again.code == 0, again.stdout + again.stderr
        eventually(lambda: is_healthy(cluster), deadline_s=120, what="a healthy cluster")
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


@pytest.mark.fault
def test_etcd_is_lost_and_postgresql_is_not(cluster: Lab) -> None:
    leader = cluster.leader()
    refused(recover(cluster, "recover_etcd", confirm="coolify_postgres"), "etcd has quorum")
    with Writes(cluster) as writes:
        destroy_etcd(cluster)
        refused(cluster.deploy(), "etcd has lost its data", "recover_etcd")
        refused(recover(cluster, "recover_etcd"), "CONFIRM=coolify_postgres")
        plan = recover(cluster, "recover_etcd", "test=True")
        assert plan.code == 0, plan.stdout + plan.stderr
        assert plan.changes
        written = len(writes.acknowledged)
        done = recover(cluster, "recover_etcd", confirm="coolify_postgres")
        assert done.code == 0, done.stdout + done.stderr
        assert "leads" in comment(done)
    assert len(writes.acknowledged) > written, "failsafe mode did not keep the leader writing"
    assert cluster.leader() == leader
    eventually(lambda: is_healthy(cluster), deadline_s=120, what="a healthy cluster")
    assert writes.missing() == set()
    # Puts back the order in which Patroni asks the voters.
    settled = cluster.deploy()
    assert settled.code == 0, settled.stdout + settled.stderr
    assert cluster.deploy().changes == {}


@pytest.mark.fault
def test_majority_is_gone_for_good_and_the_newest_copy_leads(cluster: Lab) -> None:
    gone = [f"{name}.{cluster.domain}" for name in ("app-server-1", "app-server-2")]
    behind = f"builder.{cluster.domain}"
    # The leader is among the lost; else there is no choice to be made.
    moved = recover(cluster, "switchover", target_node=gone[0])
    assert moved.code == 0, moved.stdout + moved.stderr
    cluster.check(behind, "sh", "-c", f"{CONTAINER_OF.format('patroni')} | xargs docker stop")
    with Writes(cluster) as writes:
        eventually(lambda: len(writes.acknowledged) > 50, deadline_s=60, what="50 rows")
    eventually(lambda: has_all_rows(cluster, writes), deadline_s=90, what="all rows on node 3")
    docker("kill", *gone)
    refused(recover(cluster, "recover_survivors"), "LOST=", "postgres-node-1")
    refused(
        recover(cluster, "recover_survivors", lost=gone),
        "postgres-node-3 is the most advanced",
        "postgres-node-4 is",
        "CONFIRM=coolify_postgres",
    )
    done = recover(cluster, "recover_survivors", lost=gone, confirm="coolify_postgres")
    assert done.code == 0, done.stdout + done.stderr
    survivors = [server for server in cluster.servers if server not in gone]
    assert Writes(cluster, survivors, acknowledged=writes.acknowledged).missing() == set()
    for server in gone:
        remove_disk(cluster, server)
    servers_up(cluster)
    again = cluster.deploy()
    assert again.code == 0, again.stdout + again.stderr
    eventually(lambda: is_healthy(cluster), deadline_s=120, what="a healthy cluster")
    assert writes.missing() == set()
    assert cluster.deploy().changes == {}


def has_all_rows(lab: Lab, writes: Writes) -> bool:
    done = lab.run(
        lab.controller, "psql", "-d", "application", "-Atc", f"SELECT count(*) FROM {TABLE}"
    )
    return done.stdout.strip() == str(len(set(writes.acknowledged)))


@pytest.mark.fault
def test_everything_is_gone_and_a_backup_is_left(cluster: Lab) -> None:
    with Writes(cluster) as writes:
        eventually(lambda: len(writes.acknowledged) > 50, deadline_s=60, what="50 rows")
    taken = recover(cluster, "backup")
    assert taken.code == 0, taken.stdout + taken.stderr
    (changes,) = taken.changes.values()
    (name,) = [name for name, change in changes.items() if change["old"] is None]
    for server in cluster.servers:
        remove_disk(cluster, server)
    servers_up(cluster)
    restored = cluster.deploy(
        "pillar=" + json.dumps({"restore_from_backup": True, "backup_file": name})
    )
    assert restored.code == 0, restored.stdout + restored.stderr
    eventually(lambda: is_healthy(cluster), deadline_s=120, what="a healthy cluster")
    assert writes.missing() == set()
    assert cluster.deploy().changes == {}
