"""A second cluster on three of the servers: one etcd voter, one learner, one node without etcd.

It comes up beside the first, with secrets of its own, and goes without a trace of the first.
Another one grows from three nodes to four while an application writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.lab import Lab, eventually
from tests.support.rows import Writes

NAME = "billing"
HOSTNAME = "billing.postgres.test"
PORTS = {
    "postgresql_port": 15432,
    "postgresql_replica_port": 15433,
    "postgresql_pool_port": 16432,
    "postgresql_member_port": 15434,
    "patroni_restapi_port": 18008,
    "postgresql_exporter_port": 18010,
    "etcd_client_port": 12379,
    "etcd_peer_port": 12380,
}
MEMBERS = ("app-server-1", "app-server-2", "builder")
GROWING = (*MEMBERS, "controller")


def declaration(lab: Lab, members: Sequence[str] = MEMBERS) -> dict[str, Any]:
    nodes = [
        {
            "name": f"{NAME}-{number}",
            "host": f"{short}.{lab.domain}",
            "ip": lab.address(short),
            "role": "primary" if number == 1 else "replica",
        }
        for number, short in enumerate(members, start=1)
    ]
    return {
        "postgresql_hostname": HOSTNAME,
        "postgresql_nodes": nodes,
        **PORTS,
    }


@pytest.fixture
def billing(cluster: Lab) -> Iterator[Lab]:
    """The lab with the second cluster declared; removed again whatever happens."""
    with declared_to_all(cluster, {**declaration(cluster), "etcd_voters": [f"{NAME}-1"]}):
        try:
            yield cluster
        finally:
            _remove(cluster, MEMBERS)


@contextmanager
def declared_to_all(lab: Lab, declared: dict[str, Any]) -> Iterator[None]:
    """The second cluster is in the pillar of every minion for the block."""
    try:
        with lab.declared(postgresql_clusters={NAME: declared}):
            lab.salt("*", "saltutil.refresh_pillar", "wait=True")
            yield
    finally:
        lab.salt("*", "saltutil.refresh_pillar", "wait=True")


def _remove(lab: Lab, members: Sequence[str]) -> None:
    found = lab.salt(lab.controller, "coolify.stack_status", f"cluster={NAME}")[lab.controller]
    # Routers first, etcd last.
    for stack in sorted(found, key=lambda name: name.rsplit("-", 1)[1], reverse=True):
        lab.salt(lab.controller, "coolify.service_delete", stack, f"cluster={NAME}")
    for short in members:
        lab.check(
            f"{short}.{lab.domain}", "sh", "-c",
            f"docker ps -aq --filter label=pgha.cluster={NAME} | xargs -r docker rm -f; "
            f"rm -rf /etc/pgha/{NAME} /var/lib/pgha/{NAME}; "
            f"grep -v '# pgha {NAME}$' /etc/hosts > /tmp/hosts && cat /tmp/hosts > /etc/hosts",
        )  # fmt: skip


def deploy(lab: Lab, *arguments: str) -> Any:
    return lab.deploy(f'pillar={{"cluster": "{NAME}"}}', *arguments)


def status(lab: Lab, cluster: str) -> dict[str, Any]:
    done = lab.salt_run("postgres.status", f"cluster={cluster}", "--out=json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_second_cluster_comes_up_beside_the_first(billing: Lab) -> None:
    before = billing.containers()
    first = deploy(billing)
    assert first.code == 0, first.stdout + first.stderr
    found = eventually(
        lambda: (seen := status(billing, NAME))["healthy"] and seen,
        deadline_s=150,
        what="a healthy second cluster",
    )
    assert [member["etcd"] for member in found["members"]] == ["leader", "learner", "client"]
    assert found["etcd"]["voters"] == 1
    for server, containers in billing.containers().items():
        assert before[server] <= containers, f"containers of the first cluster on {server}"
    assert deploy(billing).changes == {}
    eventually(
        lambda: status(billing, "coolify_postgres")["healthy"],
        deadline_s=60,
        what="a healthy first cluster",
    )
    _check_secrets(billing)
    _check_tools(billing)


def _check_secrets(lab: Lab) -> None:
    names = ("superuser", "monitor", "restapi")
    own, first = (
        {lab.read_secret(f"{root}postgresql/{name}_password.txt") for name in names}
        for root in (f"clusters/{NAME}/", "")
    )
    assert own.isdisjoint(first)
    folders = {"/etc/pgha/coolify_postgres": first, f"/etc/pgha/{NAME}": own}
    here = f"app-server-2.{lab.domain}"
    for folder, expected in folders.items():
        text = lab.check(here, "sh", "-c", f"cat {folder}/patroni/patroni.yml")
        assert {secret for secret in own | first if secret in text} <= expected
        assert any(secret in text for secret in expected)


def _check_tools(lab: Lab) -> None:
    """On the node without etcd: its wrapper reaches the voter, nothing of etcd runs."""
    client = f"builder.{lab.domain}"
    shell = f"PGHA_CLUSTER={NAME} etcdctl member list"
    members = lab.check(client, "sh", "-c", shell)
    assert f"{NAME}-1" in members
    assert f"{NAME}-3" not in members
    lab.check(client, "test", "!", "-e", f"/var/lib/pgha/{NAME}/etcd")
    sql = "SELECT pg_is_in_recovery()"
    where = lab.check(client, "sh", "-c", f"PGHA_CLUSTER={NAME} psql -XAtqc '{sql}'")
    assert where.strip() in ("t", "f")


@pytest.mark.fault
def test_a_cluster_grows_while_it_is_written_to(cluster: Lab) -> None:
    """Three nodes are three voters of etcd; the fourth is a learner."""
    try:
        with declared_to_all(cluster, declaration(cluster)):
            grow(cluster, 3, voters=3, learners=0)
            servers = [f"{short}.{cluster.domain}" for short in MEMBERS]
            secrets = f"clusters/{NAME}/postgresql"
            with (
                Writes(cluster, servers, port=15432, secrets=secrets) as writes,
                declared_to_all(cluster, declaration(cluster, GROWING)),
            ):
                grow(cluster, 4, voters=3, learners=1)
            assert len(writes.acknowledged) > 500
            assert writes.missing() == set()
    finally:
        with declared_to_all(cluster, declaration(cluster, GROWING)):
            _remove(cluster, GROWING)


def grow(lab: Lab, size: int, voters: int, learners: int) -> None:
    """Deploy; the cluster is healthy at its new size and a second deploy changes nothing."""
    done = deploy(lab)
    assert done.code == 0, done.stdout + done.stderr
    found = eventually(
        lambda: (seen := status(lab, NAME))["healthy"] and seen,
        deadline_s=60,
        what=f"a healthy cluster of {size} nodes",
    )
    roles = [member["etcd"] for member in found["members"]]
    assert (len(roles), found["etcd"]["voters"], roles.count("learner")) == (size, voters, learners)
    assert deploy(lab).changes == {}
