"""Real faults: the right alert becomes pending, fires and is resolved, and no other critical one.

The Prometheus of these tests is five times as fast as the rules say.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pgha.pki import Pki
from pgha.topology import Topology
from tests.support.lab import Deploy, Lab, eventually
from tests.support.operations import operate
from tests.support.watch import Watch, critical, watching
from tests.support.writes import Writes

CLUSTER = "coolify_postgres"
CONFIG = f"/etc/pgha/{CLUSTER}"
STATUS = f"/var/lib/pgha/{CLUSTER}/exporter/backup.json"
MIB = 1024 * 1024
Directory = pytest.TempPathFactory

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def guarded(lab: Lab, first_deploy: Deploy) -> Lab:
    """A cluster with a backup that was restored once, as one in production has."""
    assert first_deploy.code == 0, first_deploy.stdout + first_deploy.stderr
    if operate(lab, "backup_verify")["result"] is not True:
        for operation in ("backup", "backup_verify"):
            done = operate(lab, operation)
            assert done["result"] is True, done
    return lab


@pytest.fixture(scope="module")
def watched(guarded: Lab, tools: Path, tmp_path_factory: Directory) -> Iterator[Watch]:
    with watching(guarded, tools, tmp_path_factory.mktemp("prometheus")) as watch:
        yield watch


@pytest.fixture
def watch(cluster: Lab, watched: Watch) -> Iterator[Watch]:
    """Nothing is pending before a test, and again after it."""
    watched.is_quiet()
    watched.mark()
    yield watched
    watched.is_quiet()


def only(watch: Watch, *allowed: str) -> None:
    """No critical alert fired since the mark but these."""
    assert watch.seen("firing") & critical() <= set(allowed)


def host_of(lab: Lab, name: str) -> str:
    return str(next(node["host"] for node in lab.nodes() if node["name"] == name))


def replicas(lab: Lab) -> list[str]:
    """Servers of the replicas, voters of etcd first."""
    leader = lab.leader()
    return [node["host"] for node in lab.nodes() if node["host"] != leader]


def container(lab: Lab, server: str, component: str) -> str:
    listing = ("docker", "ps", "--filter", f"label=pgha.component={component}")
    names = lab.check(server, *listing, "--format", "{{.Names}}").split()
    return next(name for name in names if name.startswith(f"{component}-"))


@contextmanager
def killed(lab: Lab, server: str, component: str) -> Iterator[None]:
    """A container that stays dead for the block."""
    name = container(lab, server, component)
    lab.check(server, "docker", "kill", name)
    try:
        yield
    finally:
        lab.check(server, "docker", "start", name)


@contextmanager
def frozen(lab: Lab, server: str) -> Iterator[None]:
    """PostgreSQL as on a disk that does not answer."""
    lab.check(server, "pkill", "-STOP", "-x", "postgres")
    try:
        yield
    finally:
        lab.check(server, "pkill", "-CONT", "-x", "postgres")


def test_a_switchover_is_silent(guarded: Lab, tools: Path, tmp_path_factory: Directory) -> None:
    """Looked at five times as often, with the rules' own delays."""
    with watching(guarded, tools, tmp_path_factory.mktemp("unhurried"), factor=1) as watch:
        watch.is_quiet()
        watch.mark()
        done = operate(guarded, "switchover")
        assert done["result"] is True, done
        watch.is_quiet()
        assert watch.seen("firing") <= {"PghaLeaderChanged"}
        assert "PghaLeaderChanged" in watch.seen("firing")


def test_a_killed_leader(cluster: Lab, watch: Watch) -> None:
    with killed(cluster, cluster.leader(), "patroni"):
        watch.fires("PghaNoWritablePrimary", "PghaLeaderNotAnswering")
        eventually(
            lambda: "PghaNoWritablePrimary" not in watch.now, deadline_s=60, what="a new leader"
        )
    watch.is_quiet()
    only(watch, "PghaNoWritablePrimary", "PghaLeaderNotAnswering", "PghaRouteWrong")


def test_a_frozen_leader(cluster: Lab, watch: Watch) -> None:
    with frozen(cluster, cluster.leader()):
        watch.fires("PghaLeaderNotAnswering")
    watch.is_quiet()
    only(watch, "PghaLeaderNotAnswering", "PghaNoWritablePrimary", "PghaRouteWrong")


def test_a_frozen_replica(cluster: Lab, watch: Watch) -> None:
    with frozen(cluster, replicas(cluster)[0]):
        watch.fires("PghaSourceFailing")
    watch.is_quiet()
    only(watch)


def test_a_replica_whose_receiver_is_cut_silently(cluster: Lab, watch: Watch) -> None:
    leader, replica = cluster.leader(), replicas(cluster)[0]
    with Writes(cluster, cluster.controller, 5432, 1), cut(cluster, leader, replica):
        watch.fires("PghaReplicaNotStreaming", "PghaReplicationLagSeconds")
    watch.is_quiet()
    only(watch)


@contextmanager
def cut(lab: Lab, leader: str, replica: str) -> Iterator[None]:
    """Packets of one replication connection vanish both ways; no end of it is told."""
    name = next(node["name"] for node in lab.nodes() if node["host"] == replica)
    query = f"SELECT client_port FROM pg_stat_replication WHERE application_name = '{name}'"
    port = lab.check(leader, "psql", "-XAtq", "-c", query).strip()
    rules = [
        ["INPUT", "-p", "tcp", "--sport", "5434", "--dport", port, "-j", "DROP"],
        ["OUTPUT", "-p", "tcp", "--sport", port, "--dport", "5434", "-j", "DROP"],
    ]
    for rule in rules:
        lab.check(replica, "iptables", "-I", *rule)
    try:
        yield
    finally:
        for rule in rules:
            lab.check(replica, "iptables", "-D", *rule)


def test_one_and_two_voters_of_etcd_gone(cluster: Lab, watch: Watch) -> None:
    leader = cluster.leader()
    voters = [server for server in etcd_voters(cluster) if server != leader]
    with killed(cluster, voters[0], "etcd"):
        watch.fires("PghaEtcdOneFailureFromQuorumLoss", "PghaEtcdMemberDown")
        only(watch, "PghaEtcdOneFailureFromQuorumLoss")
        with killed(cluster, voters[1], "etcd"):
            watch.fires("PghaEtcdQuorumLost", "PghaFailsafeActive")
        eventually(
            lambda: "PghaEtcdQuorumLost" not in watch.now, deadline_s=60, what="a quorum again"
        )
    watch.is_quiet()
    only(
        watch,
        "PghaEtcdOneFailureFromQuorumLoss", "PghaEtcdQuorumLost", "PghaNoFailoverCandidate",
    )  # fmt: skip


def etcd_voters(lab: Lab) -> list[str]:
    listed = json.loads(lab.check(lab.controller, "etcdctl", "member", "list", "-w", "json"))
    return [host_of(lab, each["name"]) for each in listed["members"] if not each.get("isLearner")]


def test_a_server_that_is_off(cluster: Lab, watch: Watch) -> None:
    server = next(each for each in replicas(cluster) if each != cluster.controller)
    subprocess.run(["docker", "kill", server], check=True, stdout=subprocess.DEVNULL)
    try:
        watch.fires("PghaExporterDown")
    finally:
        subprocess.run(["docker", "start", server], check=True, stdout=subprocess.DEVNULL)
    watch.is_quiet()
    # Its own route while it starts: for less than the rule's 30 s, of which 6 are left here.
    only(watch, "PghaExporterDown", "PghaEtcdOneFailureFromQuorumLoss", "PghaRouteWrong")


def test_an_old_backup_and_a_certificate_near_its_end(
    cluster: Lab, watch: Watch, tmp_path: Path
) -> None:
    server = replicas(cluster)[0]
    old = json.dumps({"full": dict.fromkeys(("last_success", "last_verified"), days_ago(9))})
    with replaced(cluster, cluster.controller, STATUS, old):
        for kind, pem in pair_of_a_day(cluster, server, tmp_path).items():
            write(cluster, server, f"{CONFIG}/exporter/server.{kind}", pem)
        watch.fires("PghaBackupTooOld", "PghaBackupUnverified", "PghaCertificateExpiresNow")
        # The deploy finds the certificate changed, the backup is the operator's.
        assert cluster.deploy().code == 0
    watch.is_quiet()
    only(watch, "PghaCertificateExpiresNow")


def days_ago(days: int) -> int:
    return int(time.time()) - days * 86400


def pair_of_a_day(lab: Lab, server: str, directory: Path) -> dict[str, str]:
    """A certificate of the lab's own CA for the exporter of a server that ends tomorrow."""
    topology = Topology.from_pillar(lab.pillar())
    name = next(node.name for node in topology.nodes if node.host == server)
    for file in ("ca.crt", "ca.key"):
        (directory / file).write_text((lab.state / "pki" / file).read_text())
    pki = Pki(directory, now=lambda: datetime.now(UTC) - timedelta(days=364))
    pki.ensure_node_certificates(topology)
    return {kind: pki.leaf(name, "exporter", kind).read_text() for kind in ("crt", "key")}


def write(lab: Lab, server: str, path: str, content: str) -> None:
    """Into the file that is there: its owner and mode stay."""
    done = lab.run(server, "sh", "-c", f"cat > {path}", stdin=content)
    assert done.returncode == 0, done.stderr


@contextmanager
def replaced(lab: Lab, server: str, path: str, content: str) -> Iterator[None]:
    before = lab.check(server, "cat", path)
    write(lab, server, path, content)
    try:
        yield
    finally:
        write(lab, server, path, before)


def test_a_slot_that_holds_more_wal_than_it_may(cluster: Lab, watch: Watch) -> None:
    leader, replica = cluster.leader(), replicas(cluster)[-1]
    with killed(cluster, replica, "patroni"), limited(cluster, leader, "max_slot_wal_keep_size"):
        # More than wal_keep_size, which is kept in any case; the next checkpoint would remove it.
        fill = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000)) " \
               "FROM generate_series(1, 250)"  # fmt: skip
        cluster.check(leader, "psql", "-XAtq", "-o", "/dev/null", "-c", "CHECKPOINT", "-c", fill)
        watch.fires("PghaSlotRetainsWal")
    watch.is_quiet()
    only(watch)


@contextmanager
def limited(lab: Lab, server: str, setting: str) -> Iterator[None]:
    """A setting of a few MiB for the block."""

    def alter(statement: str) -> None:
        lab.check(server, "psql", "-XAtq", "-c", statement, "-c", "SELECT pg_reload_conf()")

    alter(f"ALTER SYSTEM SET {setting} = '32MB'")
    try:
        yield
    finally:
        alter(f"ALTER SYSTEM RESET {setting}")
