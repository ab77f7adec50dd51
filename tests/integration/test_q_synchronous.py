"""Synchronous replication: who may lead is fewer, and what was acknowledged is never lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.test_g_switchover import kill_postgresql
from tests.support import rows
from tests.support.lab import Lab, eventually
from tests.support.operations import operate
from tests.support.writes import Writes

NOT_SYNCHRONOUS = "it is no synchronous replica (postgresql_synchronous_mode is on)"


def hosts(lab: Lab, role: str) -> list[str]:
    """The servers whose member has that role."""
    return [member["host"] for member in lab.status()["members"] if member["role"] == role]


def converge(lab: Lab) -> None:
    done = lab.deploy()
    assert done.code == 0, done.stdout + done.stderr


@pytest.fixture
def synchronous(cluster: Lab) -> Iterator[Lab]:
    """The cluster with one synchronous replica; asynchronous again afterwards."""
    try:
        with cluster.declared(postgresql_synchronous_mode="on"):
            converge(cluster)
            eventually(
                lambda: len(hosts(cluster, "sync_standby")) == 1,
                deadline_s=120,
                what="one synchronous replica",
            )
            yield cluster
    finally:
        converge(cluster)
    eventually(
        lambda: not hosts(cluster, "sync_standby"), deadline_s=120, what="asynchronous again"
    )
    assert cluster.deploy().changes == {}


@pytest.mark.fault
def test_the_lead_moves_only_where_every_row_is(synchronous: Lab) -> None:
    lab = synchronous
    lab.until_healthy()
    assert lab.deploy().changes == {}
    (led,), (chosen,), others = (hosts(lab, role) for role in ("leader", "sync_standby", "replica"))
    table = lab.salt_run("postgres.status").stdout.splitlines()
    assert [line.split()[1] for line in table if " sync " in line] == [chosen]
    plan = operate(lab, "switchover", "test=True")
    assert (plan["comment"].count(NOT_SYNCHRONOUS), plan["comment"].count("eligible")) == (2, 1)
    for other in others:
        refused = operate(lab, "switchover", target_node=other)
        assert refused["result"] is False
        assert f"({other}) cannot become leader: {NOT_SYNCHRONOUS}" in refused["comment"]
    assert lab.leader() == led
    witness = next(server for server in lab.servers if server not in (led, chosen))
    with Writes(lab, witness, 6432, clients=10) as writes:
        done = operate(lab, "switchover")
    assert done["result"] is True, done["comment"]
    assert (writes.report["errors"], writes.lost) == (0, 0), writes.report
    assert lab.leader() == chosen
    _dies_without_a_loss(lab)


def _dies_without_a_loss(lab: Lab) -> None:
    """The leader dies while it acknowledges rows; the synchronous replica has every one of them."""
    found = eventually(
        lambda: hosts(lab, "sync_standby"), deadline_s=120, what="a synchronous replica"
    )
    led = lab.leader()
    with rows.Writes(lab, [server for server in lab.servers if server != led]) as writes:
        eventually(lambda: len(writes.acknowledged) > 100, deadline_s=60, what="100 rows")
        kill_postgresql(lab, led)
        seen = len(writes.acknowledged)
        eventually(
            lambda: len(writes.acknowledged) > seen + 100, deadline_s=180, what="100 rows more"
        )
    assert writes.missing() == set()
    assert lab.leader() in found
    converge(lab)
    lab.until_healthy()
