"""What is wrong is said in one clear error before anything is touched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.lab import Deploy, Lab, eventually
from tests.support.operations import operate


def refused(lab: Lab, *words: str, deploy: Deploy | None = None) -> str:
    """A deploy must fail with one error that has all the words, and leave containers alone."""
    containers = lab.containers()
    done = deploy or lab.deploy()
    assert done.code != 0
    failure = done.failure
    assert all(word in failure for word in words), failure
    assert "Traceback" not in done.stdout + done.stderr
    assert lab.containers() == containers
    return failure


def changed_node(lab: Lab, index: int, **changes: Any) -> list[dict[str, Any]]:
    nodes = [dict(node) for node in lab.nodes()]
    nodes[index].update(changes)
    return nodes


WRONG_PILLARS = {
    "duplicate ip": (
        lambda lab: {"postgresql_nodes": changed_node(lab, 1, ip=lab.nodes()[0]["ip"])},
        ["ip", "postgres-node-1", "postgres-node-2"],
    ),
    "two primaries": (
        lambda lab: {"postgresql_nodes": changed_node(lab, 1, role="primary")},
        ["primary", "postgres-node-2"],
    ),
    "unknown version": (lambda lab: {"postgresql_version": 14}, ["postgresql_version", "14", "15"]),
    "ttl 10": (lambda lab: {"patroni_ttl": 10}, ["patroni_ttl", "10", "20"]),
    "even voters": (
        lambda lab: {"etcd_voters": ["postgres-node-1", "postgres-node-2"]},
        ["etcd_voters", "odd"],
    ),
    "misspelt key": (
        lambda lab: {"postgresql_hostnme": "db.example"},
        ["postgresql_hostnme", "postgresql_hostname"],
    ),
}


@pytest.mark.parametrize("case", WRONG_PILLARS)
def test_wrong_pillar(cluster: Lab, case: str) -> None:
    overrides, words = WRONG_PILLARS[case]
    with cluster.declared(**overrides(cluster)):
        refused(cluster, *words)


def test_all_pillar_errors_come_at_once(cluster: Lab) -> None:
    with cluster.declared(patroni_ttl=10, postgresql_version=14, postgresql_port=70000):
        refused(cluster, "patroni_ttl", "postgresql_version", "postgresql_port")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("429", ["Coolify", "429"]),
        ("500", ["Coolify", "500"]),
        ("html", ["does not answer like Coolify", "login page"]),
    ],
)
def test_coolify_answers_nonsense(cluster: Lab, fault: str, words: list[str]) -> None:
    cluster.coolify("POST", "faults", {"kind": fault, "count": 200})
    try:
        refused(cluster, *words)
    finally:
        cluster.coolify("DELETE", "faults")


def test_server_that_coolify_calls_unusable(cluster: Lab) -> None:
    server = cluster.servers[1]
    cluster.coolify("PUT", f"servers/{server}", {"is_usable": False})
    try:
        refused(cluster, server, "usable")
    finally:
        cluster.coolify("PUT", f"servers/{server}", {"is_usable": None})


@contextmanager
def coolify_stopped(lab: Lab) -> Iterator[None]:
    health = ("curl", "-fs", "http://127.0.0.1:8000/api/v1/health")
    lab.run(lab.controller, "sv", "-w", "60", "stop", "coolify")  # waits until it is down
    try:
        yield
    finally:
        lab.check(lab.controller, "sv", "up", "coolify")
        eventually(
            lambda: lab.run(lab.controller, *health).returncode == 0,
            deadline_s=90,
            what="Coolify up again",
        )


def test_coolify_down(cluster: Lab) -> None:
    with coolify_stopped(cluster):
        refused(cluster, "Coolify", cluster.address(cluster.controller))


def test_what_needs_no_coolify_works_without_it(cluster: Lab) -> None:
    with coolify_stopped(cluster):
        moved = operate(cluster, "switchover")
        assert moved["result"] is True, moved["comment"]
        taken = operate(cluster, "backup")
        assert taken["result"] is True, taken["comment"]
        replica = next(server for server in cluster.servers if server != cluster.leader())
        built = operate(cluster, "reinit", node=replica)
        assert built["result"] is True, built["comment"]
    cluster.until_healthy()


def test_minion_that_does_not_answer(cluster: Lab) -> None:
    server = cluster.servers[3]
    cluster.run(server, "sv", "-w", "60", "stop", "salt-minion")  # waits until it is down
    try:
        refused(cluster, "no answer", server)
    finally:
        cluster.check(server, "sv", "up", "salt-minion")
        eventually(
            lambda: cluster.run(cluster.controller, "salt", server, "test.ping").returncode == 0,
            deadline_s=120,
            what="the minion back",
        )


def test_token_without_read_sensitive(cluster: Lab) -> None:
    token = cluster.state / "coolify" / "token"
    before = token.read_text()
    weak = f"77|{'w' * 48}"
    abilities = ["read", "write", "deploy"]
    cluster.coolify("POST", "tokens", {"token": weak, "name": "weak", "abilities": abilities})
    try:
        token.write_text(weak)
        failure = refused(cluster, "read:sensitive")
        assert weak not in failure
    finally:
        token.write_text(before)


def test_full_disk(cluster: Lab) -> None:
    server = cluster.servers[2]
    cluster.check(server, "mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", "/var/lib/pgha")
    try:
        refused(cluster, "MiB are free", server, "make room")
    finally:
        eventually(
            lambda: cluster.run(server, "umount", "/var/lib/pgha").returncode == 0,
            deadline_s=60,
            what="the small disk let go",
        )


def test_port_taken_by_somebody_else(cluster: Lab) -> None:
    server = next(name for name in cluster.servers if name != cluster.leader())
    listing = ("docker", "ps", "--filter", "label=pgha.component=router", "-q")
    containers = cluster.check(server, *listing).split()
    program = (
        "import socket, sys\n"
        "taken = socket.create_server((sys.argv[1], 6432))\n"
        "print('up', flush=True)\n"
        "sys.stdin.read()\n"
    )
    cluster.check(server, "docker", "rm", "-f", *containers)
    command = ["docker", "exec", "-i", server, "/opt/salt/bin/python", "-c", program]
    with subprocess.Popen(
        [*command, cluster.address(server)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as taker:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "up\n"
        refused(cluster, "port 6432", server, "taken by python")
        taker.communicate("")
    again = cluster.deploy()
    assert again.code == 0, again.stdout + again.stderr


def test_second_deploy_at_once_is_an_error(cluster: Lab) -> None:
    holder = (
        "import fcntl, sys\n"
        "lock = open('/var/lib/pgha-state/.coolify_postgres.lock', 'a')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    command = ["docker", "exec", "-i", cluster.controller, "/opt/salt/bin/python", "-c", holder]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        assert running.stdout.readline() == "held\n"
        refused(cluster, "Another run", "wait")
        running.stdin.write("\n")
