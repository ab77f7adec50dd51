"""The steps ask Coolify for work only when there is some, and start what the servers lack."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pgha.backup.take import backup_store
from pgha.deploy import etcd, steps
from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import Applied
from pgha.deploy.leftovers import etcd_leftovers
from pgha.errors import FailedError
from pgha.render.compose import STACK_COMPONENTS, stack_containers, stack_name
from tests.support.clusters import nodes_of, topology
from tests.support.fake_fleet import FakeFleet
from tests.unit.backup.samples import put_backup

CLUSTER = topology()


def run_of(fleet: FakeFleet, *, live: bool, current: bool = True, test: bool = False) -> Deployment:
    """A deployment whose servers and Coolify all look the same."""
    names = {
        node.host: {stack_name(CLUSTER, node, part): part for part in STACK_COMPONENTS}
        for node in CLUSTER.nodes
    }
    running = {
        host: {
            "stacks": {
                name: dict.fromkeys(stack_containers(part), "running") if live else {}
                for name, part in stacks.items()
            },
            "data": {"etcd": live, "postgresql": live},
        }
        for host, stacks in names.items()
    }
    survey = {
        "stacks": {name: {"current": current} for stacks in names.values() for name in stacks}
        if current
        else {}
    }
    return Deployment(
        CLUSTER, fleet, lambda what: nullcontext(), test=test, facts=running, survey=survey
    )


def converge(minion: str, **keywords: Any) -> dict[str, Any]:
    return {
        "changes": {},
        "started": list(keywords["not_running"]),
        "recreated": [],
        "pending_recreate": [],
    }


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet(
        {
            "coolify.converge": converge,
            "etcd_cluster.wait_quorum": list(CLUSTER.voters),
            "patroni.wait_leader": "postgres-node-1",
            "patroni.wait_streaming": True,
            "state.single": lambda minion, **kw: {"id": {"result": True, "changes": {}}},
            "postgres_node.prove": {},
        }
    )


def test_running_cluster_makes_no_request_to_coolify(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=True)
    for step in (
        etcd.run_etcd,
        steps.run_leader,
        steps.run_replicas,
        steps.run_routers,
        steps.run_exporters,
    ):
        assert step(run) == {}
    assert "coolify.converge" not in fleet.functions()


def test_voters_start_together_and_learners_after_quorum(fleet: FakeFleet) -> None:
    changes = etcd.run_etcd(run_of(fleet, live=False, current=False))
    assert len(changes) == len(CLUSTER.nodes)
    order = [name for name in fleet.functions() if name != "saltutil.sync_all"]
    assert order == [
        "coolify.converge",
        "etcd_cluster.wait_quorum",
        "state.single",
        "coolify.converge",
    ]
    first = fleet.asked[0][2]
    assert first["nodes"] == list(CLUSTER.voters)


def test_a_container_that_is_no_member_any_more_is_named_with_the_way_out(
    fleet: FakeFleet,
) -> None:
    cluster = topology(postgresql_nodes=nodes_of(9))
    stacks = {node.host: {"stacks": {}} for node in cluster.nodes}
    run = Deployment(cluster, fleet, lambda what: nullcontext(), facts=stacks)
    assert etcd_leftovers(run) == []
    name = stack_name(cluster, cluster.nodes[8], "etcd")
    stacks["server-9.lan"]["stacks"] = {name: {"etcd": "exited"}}
    stacks["server-8.lan"]["stacks"] = {stack_name(cluster, cluster.nodes[7], "etcd"): {"etcd": ""}}
    (sentence,) = etcd_leftovers(run)
    here = "cluster=coolify_postgres"
    member = f"`salt server-1.lan etcd_cluster.member_remove postgres-node-9 {here}`"
    stack = f"`salt controller.lan coolify.service_delete {name} {here}`"
    assert sentence.index(member) < sentence.index(stack)
    assert fleet.functions() == []


def test_new_cluster_starts_on_the_preferred_primary_alone(fleet: FakeFleet) -> None:
    steps.run_leader(run_of(fleet, live=False, current=False))
    converged = [asked for asked in fleet.asked if asked[1] == "coolify.converge"]
    assert converged[0][2]["nodes"] == [CLUSTER.preferred_primary.name]


def test_new_leader_is_not_started_again_with_the_replicas(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=False, current=False)
    steps.run_leader(run)
    steps.run_replicas(run)
    converged = [asked[2]["nodes"] for asked in fleet.asked if asked[1] == "coolify.converge"]
    leader = CLUSTER.preferred_primary.name
    assert converged == [[leader], [n.name for n in CLUSTER.nodes if n.name != leader]]


def test_lost_leader_is_started_again_before_anybody_waits_for_a_new_one(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=True)
    leader = CLUSTER.preferred_primary
    run.facts[leader.host]["stacks"] = {}
    assert list(steps.run_leader(run)) == [stack_name(CLUSTER, leader, "patroni")]
    assert fleet.functions() == ["coolify.converge", "patroni.wait_leader"]
    assert fleet.asked[1][0] != leader.host


def test_leader_is_asked_for_where_patroni_runs(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=True)
    run.facts[CLUSTER.nodes[0].host]["stacks"] = {}
    steps.run_leader(run)
    assert fleet.asked[-1][0] == (CLUSTER.nodes[1].host,)


def test_of_stopped_members_those_with_data_start_together(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=False)
    for node in CLUSTER.nodes[1:]:
        run.facts[node.host]["data"] = {"etcd": True, "postgresql": True}
    steps.run_leader(run)
    assert fleet.asked[0][2]["nodes"] == [node.name for node in CLUSTER.nodes[1:]]


@pytest.mark.parametrize("pgbouncer", [{"pgbouncer": "exited"}, {}])
def test_stopped_stack_is_named_to_coolify_as_not_running(
    fleet: FakeFleet, pgbouncer: dict[str, str]
) -> None:
    run = run_of(fleet, live=True)
    node = CLUSTER.nodes[2]
    name = stack_name(CLUSTER, node, "router")
    run.facts[node.host]["stacks"][name] = {"haproxy": "running", **pgbouncer}
    assert steps.run_routers(run) == {name: {"old": "not running", "new": "started"}}
    assert fleet.asked[0][2]["not_running"] == [name]


@pytest.mark.parametrize(
    ("states", "live", "limps"),
    [
        ({"patroni": "running", "restapi": "running"}, True, False),
        ({"patroni": "running", "restapi": "exited"}, True, True),
        ({"patroni": "running"}, True, True),
        ({"restapi": "running"}, False, False),
        ({}, False, False),
    ],
)
def test_a_member_runs_when_its_patroni_does(
    fleet: FakeFleet, states: dict[str, str], live: bool, limps: bool
) -> None:
    run = run_of(fleet, live=True)
    node = CLUSTER.nodes[1]
    run.facts[node.host]["stacks"][stack_name(CLUSTER, node, "patroni")] = states
    assert (run.is_live(node, "patroni"), run.limps(node, "patroni")) == (live, limps)


def test_exporter_of_an_older_text_is_recreated_at_once_and_nothing_stays_due(
    fleet: FakeFleet,
) -> None:
    name = stack_name(CLUSTER, CLUSTER.nodes[1], "exporter")
    fleet.replies["coolify.converge"] = lambda minion, **asked: {
        "changes": {}, "started": [], "recreated": [name], "pending_recreate": [],
    }  # fmt: skip
    run = run_of(fleet, live=True)
    run.pending = {name, stack_name(CLUSTER, CLUSTER.nodes[1], "router")}
    changes = steps.run_exporters(run)
    assert changes == {name: {"old": "old containers", "new": "recreated"}}
    (asked,) = [each[2] for each in fleet.asked if each[1] == "coolify.converge"]
    assert asked["nodes"] == [CLUSTER.nodes[1].name]
    assert asked["apply_changes"] is True
    assert run.pending == {stack_name(CLUSTER, CLUSTER.nodes[1], "router")}


def test_times_of_backups_go_to_the_controller_when_there_are_any(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    run = run_of(fleet, live=True)
    run.state_dir = tmp_path
    steps.configure_servers(run)
    root = backup_store(run).root
    root.mkdir(parents=True)
    put_backup(root, "20261124T050000Z")
    steps.configure_servers(run)
    without, given = (asked[2] for asked in fleet.asked if asked[1] == "apply postgres.node")
    assert "backup_times" not in without
    assert set(given["backup_times"]) == {run.controller}
    assert given["backup_times"][run.controller]["full"]["last_success"] > 0


def test_database_settings_go_to_the_leader_and_are_looked_at_again(fleet: FakeFleet) -> None:
    fleet.replies["apply postgres.leader"] = Applied(
        changes={"id": {"work_mem": {"old": "4MB", "new": "16MB"}}}
    )
    run = run_of(fleet, live=True)
    run.leader = "postgres-node-2"
    changes, comments = steps.configure_database(run)
    assert changes == {"app-server-2.lan": {"id": {"work_mem": {"old": "4MB", "new": "16MB"}}}}
    assert comments == []
    assert run.restarts is True


def test_only_files_that_are_read_at_a_start_make_etcd_due(fleet: FakeFleet) -> None:
    node = CLUSTER.nodes[0]
    for path, stale in (("etcd/server.crt", set()), ("etcd/etcd.yml", {node.name})):
        run = run_of(fleet, live=True)
        reply = Applied(changes={"files": {f"/etc/pgha/c/{path}": {"old": "a", "new": "b"}}})
        fleet.replies["apply postgres.node"] = reply
        run.topology = replace(CLUSTER, nodes=(node,))
        steps.configure_servers(run)
        assert run.stale == stale
        assert run.restarts is False


def test_member_that_does_not_serve_is_recreated_before_anybody_waits_for_it(
    fleet: FakeFleet,
) -> None:
    run = run_of(fleet, live=True)
    broken, node = stack_name(CLUSTER, CLUSTER.nodes[2], "patroni"), CLUSTER.nodes[2]
    run.pending = {broken, stack_name(CLUSTER, CLUSTER.nodes[1], "patroni")}
    run.facts[node.host]["ids"] = {broken: ["old"]}
    fleet.replies["patroni.status"] = lambda minion, **kw: {
        "state": "starting" if minion == node.host else "streaming"
    }
    fleet.replies["coolify.converge"] = {"recreated": [broken], "changes": {}, "started": []}
    fleet.replies["postgres_node.wait_recreated"] = ["new"]
    assert list(steps.run_replicas(run)) == [f"PostgreSQL on {node.name}"]
    assert fleet.functions()[-1] == "patroni.wait_streaming"
    assert broken not in run.pending
    assert len(run.pending) == 1


def test_failed_state_is_an_error_with_server_and_comment(fleet: FakeFleet) -> None:
    fleet.replies["apply postgres.node"] = Applied(failed={"id": "no space left on device"})
    with pytest.raises(FailedError, match=r"app-server-1\.lan: no space left on device"):
        steps.configure_servers(run_of(fleet, live=True))


def test_plan_touches_nothing(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=False, current=False, test=True)
    for step in (
        etcd.run_etcd,
        steps.run_leader,
        steps.run_replicas,
        steps.run_routers,
        steps.run_exporters,
    ):
        assert step(run)
    assert all(asked[2]["test"] for asked in fleet.asked if asked[1] == "coolify.converge")
    assert not {"patroni.wait_leader", "etcd_cluster.wait_quorum"} & set(fleet.functions())
