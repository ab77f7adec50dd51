"""The verdict: one thing is broken at a time, and its sentence is looked for."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from pgha.status import assemble
from tests.unit.library.answers import NOW, World


def verdict(world: World) -> dict[str, Any]:
    data = assemble(world.topology, world.patroni, world.etcd, world.routes, world.coolify, now=NOW)
    assert json.loads(json.dumps(data)) == data
    return data


def only_problem(world: World) -> str:
    data = verdict(world)
    assert data["healthy"] is False
    (problem,) = data["problems"]
    return str(problem)


def test_all_is_well(world: World) -> None:
    data = verdict(world)

    assert data["healthy"] is True
    assert data["problems"] == data["disagreements"] == []
    assert (data["leader"], data["timeline"], data["paused"]) == ("postgres-node-1", 3, False)
    assert data["etcd"] == {
        "voters": 3,
        "healthy_voters": 3,
        "quorum": 2,
        "failure_tolerance": 1,
    }
    assert data["members"][1] == {
        "node": "postgres-node-2",
        "host": "app-server-2.lan",
        "ip": "172.28.0.21",
        "role": "replica",
        "state": "streaming",
        "timeline": 3,
        "lag_bytes": 20480,
        "pending_restart": False,
        "pending_restart_reason": {},
        "etcd": "leader",
        "route_rw": True,
        "route_ro": True,
        "pool": True,
        "coolify": dict.fromkeys(("etcd", "patroni", "router", "exporter"), "running:healthy"),
    }
    assert [member["etcd"] for member in data["members"]] == ["voter", "leader", "voter", "learner"]
    assert data["checked_at"] == "2027-01-15T08:00:00+00:00"
    assert data["backup"] == {"last": None, "verified": None}


def test_time_may_be_a_datetime(world: World) -> None:
    moment = datetime.fromtimestamp(NOW, timezone.utc)
    same = assemble(world.topology, world.patroni, world.etcd, world.routes, world.coolify, moment)

    assert same == verdict(world)


@pytest.mark.parametrize("role", ["sync_standby", "quorum_standby"])
def test_synchronous_replicas_are_replicas(world: World, role: str) -> None:
    world.patroni["app-server-2.lan"]["role"] = role

    assert verdict(world)["healthy"] is True


class TestMembers:
    def test_two_leaders(self, world: World) -> None:
        world.patroni["builder.lan"].update(role="leader", state="running")

        data = verdict(world)

        assert data["leader"] is None
        assert data["healthy"] is False
        (both,) = data["disagreements"]
        assert both.startswith(
            "2 members say that they are the leader: postgres-node-1 (app-server-1.lan) and "
            "postgres-node-4 (builder.lan)"
        )
        assert both in data["problems"]

    def test_no_leader(self, world: World) -> None:
        for answer in world.patroni.values():
            answer.update(role="replica", state="streaming", leader=None)

        assert only_problem(world).startswith("No member says that it is the leader")

    def test_a_leader_that_does_not_run(self, world: World) -> None:
        world.patroni["app-server-1.lan"]["state"] = "stopping"

        expected = (
            "The leader postgres-node-1 (app-server-1.lan) is in state stopping, not running."
        )
        assert only_problem(world) == expected

    @pytest.mark.parametrize("state", ["running", "in archive recovery", "start failed", None])
    def test_a_replica_that_does_not_stream(self, world: World, state: str | None) -> None:
        world.patroni["builder.lan"]["state"] = state

        expected = f"The replica postgres-node-4 (builder.lan) is in state {state}, not streaming"
        assert only_problem(world).startswith(expected)

    def test_a_replica_on_another_timeline(self, world: World) -> None:
        world.patroni["builder.lan"]["timeline"] = 2

        problem = only_problem(world)
        assert "postgres-node-4 (builder.lan) is on timeline 2" in problem
        assert "postgres-node-1 (app-server-1.lan) is on timeline 3" in problem
        assert verdict(world)["disagreements"] == [problem]

    def test_a_member_that_sees_another_leader(self, world: World) -> None:
        world.patroni["builder.lan"]["leader"] = "postgres-node-2"

        problem = only_problem(world)
        assert problem.startswith(
            "postgres-node-4 (builder.lan) sees postgres-node-2 as the leader"
        )
        assert verdict(world)["disagreements"] == [problem]

    def test_a_member_whose_patroni_does_not_answer(self, world: World) -> None:
        world.patroni["builder.lan"] = {"error": "https://172.28.0.30:8008 refused the connection."}

        assert only_problem(world) == (
            "Patroni of postgres-node-4 (builder.lan): https://172.28.0.30:8008 refused the "
            "connection."
        )
        assert verdict(world)["members"][3]["state"] == "unknown"

    def test_a_member_that_has_not_joined(self, world: World) -> None:
        for answer in world.patroni.values():
            answer["members"] = [m for m in answer["members"] if m["name"] != "postgres-node-3"]

        assert only_problem(world).startswith("Patroni does not list the member postgres-node-3")

    def test_a_member_that_nobody_declared(self, world: World) -> None:
        world.patroni["builder.lan"]["members"] += [{"name": "intruder"}]

        problem = only_problem(world)
        assert "lists a member intruder that the pillar does not declare" in problem
        assert "(asked on postgres-node-4)" in problem

    def test_a_pause_is_shown_and_does_not_make_it_unhealthy(self, world: World) -> None:
        for answer in world.patroni.values():
            answer["paused"] = True

        data = verdict(world)
        assert (data["paused"], data["healthy"], data["disagreements"]) == (True, True, [])

    def test_a_pause_that_not_all_see_is_a_disagreement(self, world: World) -> None:
        world.patroni["builder.lan"]["paused"] = True

        data = verdict(world)
        assert data["healthy"] is True
        assert data["disagreements"][0].startswith("postgres-node-4 see the cluster paused")

    def test_a_pending_restart_is_shown(self, world: World) -> None:
        why = {"max_connections": {"old_value": "100", "new_value": "200"}}
        world.patroni["builder.lan"].update(pending_restart=True, pending_restart_reason=why)

        data = verdict(world)
        assert data["healthy"] is True
        assert data["members"][3]["pending_restart_reason"] == why


class TestSilence:
    def test_a_silent_server_is_named_once(self, world: World) -> None:
        world.silence("builder.lan")

        problem = only_problem(world)
        assert problem.startswith("postgres-node-4 (builder.lan) did not answer; check")
        member = verdict(world)["members"][3]
        assert (member["state"], member["etcd"], member["route_rw"]) == ("silent", "silent", None)

    def test_absent_is_silent(self, world: World) -> None:
        for answers in (world.patroni, world.etcd, world.routes):
            del answers["builder.lan"]

        assert only_problem(world).startswith("postgres-node-4 (builder.lan) did not answer;")

    def test_half_an_answer_says_which_half(self, world: World) -> None:
        world.etcd["builder.lan"] = None

        expected = "postgres-node-4 (builder.lan) did not answer about etcd;"
        assert only_problem(world).startswith(expected)

    def test_nobody_answers(self, world: World) -> None:
        data = assemble(world.topology, {}, {}, {}, None, NOW)

        assert data["healthy"] is False
        assert data["etcd"]["healthy_voters"] == 0
        for node in world.topology.nodes:
            assert sum(node.host in problem for problem in data["problems"]) == 1


class TestEtcd:
    def test_a_dead_voter_costs_the_margin(self, world: World) -> None:
        world.etcd["controller.lan"] = {"error": "https://172.28.0.10:2379 refused the connection"}

        expected = (
            "etcd of postgres-node-3 (controller.lan): https://172.28.0.10:2379 refused the "
            "connection."
        )
        assert only_problem(world) == expected
        summary = verdict(world)["etcd"]
        assert (summary["healthy_voters"], summary["failure_tolerance"]) == (2, 0)

    def test_without_quorum_nothing_can_fail_over(self, world: World) -> None:
        for host in ("controller.lan", "app-server-2.lan"):
            world.etcd[host].update(healthy=False)

        assert any(
            each.startswith("etcd has no quorum: 1 of 3") for each in verdict(world)["problems"]
        )

    def test_a_dead_learner_is_a_problem_too(self, world: World) -> None:
        world.etcd["builder.lan"] = {"error": "gone"}

        assert only_problem(world) == "etcd of postgres-node-4 (builder.lan): gone."
        assert verdict(world)["etcd"]["failure_tolerance"] == 1

    def test_a_planned_voter_that_is_a_learner(self, world: World) -> None:
        world.etcd["controller.lan"]["is_learner"] = True

        assert "is a learner but should vote" in only_problem(world)
        assert verdict(world)["etcd"]["healthy_voters"] == 2

    def test_a_planned_learner_that_votes(self, world: World) -> None:
        world.etcd["builder.lan"]["is_learner"] = False

        assert "votes but should be a learner" in only_problem(world)

    def test_two_leaders(self, world: World) -> None:
        world.etcd["controller.lan"]["is_leader"] = True

        assert "both say that they lead etcd" in only_problem(world)

    def test_a_member_that_nobody_declared(self, world: World) -> None:
        world.etcd["controller.lan"]["members"] += [{"name": "old-node"}, {"name": ""}]

        assert "etcd lists a member old-node" in only_problem(world)


class TestRoutes:
    @pytest.mark.parametrize(
        ("route", "doing", "port"),
        [
            ("read_write", "Writing", 5432),
            ("read_only", "Reading", 5433),
            ("pool", "Writing through the pool", 6432),
        ],
    )
    def test_a_route_that_does_not_work(
        self, world: World, route: str, doing: str, port: int
    ) -> None:
        world.routes["builder.lan"][route] = {"ok": False, "server": None, "error": "refused."}

        assert only_problem(world) == (
            f"{doing} through db.postgres.host.uk.com:{port} fails on postgres-node-4 "
            "(builder.lan): refused."
        )

    def test_a_route_that_was_not_tried(self, world: World) -> None:
        del world.routes["builder.lan"]["pool"]

        assert "was not tried on postgres-node-4" in only_problem(world)

    @pytest.mark.parametrize("server", ["172.28.0.21", "postgres-node-2", "app-server-2.lan"])
    def test_writes_that_arrive_at_a_replica(self, world: World, server: str) -> None:
        world.routes["builder.lan"]["pool"]["server"] = server

        problem = only_problem(world)
        assert "arrives at postgres-node-2 (app-server-2.lan), but the leader is" in problem
        assert verdict(world)["disagreements"] == [problem]

    def test_reads_may_arrive_anywhere(self, world: World) -> None:
        world.routes["builder.lan"]["read_only"]["server"] = "172.28.0.20"

        assert verdict(world)["healthy"] is True

    def test_an_unknown_server_name_is_no_verdict(self, world: World) -> None:
        world.routes["builder.lan"]["pool"]["server"] = "10.0.1.7"

        assert verdict(world)["healthy"] is True

    def test_a_server_that_could_not_try(self, world: World) -> None:
        world.routes["builder.lan"] = {"error": "psycopg is not installed"}

        assert "could not be tried: psycopg is not installed." in only_problem(world)


class TestCoolify:
    """What Coolify says never decides; where it contradicts the components is worth a line."""

    STACK = "coolify_postgres-postgres-node-4-patroni"

    def only_disagreement(self, world: World) -> str:
        data = verdict(world)
        assert data["healthy"] is True
        (sentence,) = data["disagreements"]
        return str(sentence)

    @pytest.mark.parametrize("stale", ["exited", "starting:unhealthy", "degraded:unhealthy"])
    def test_a_stale_status(self, world: World, stale: str) -> None:
        world.coolify["stacks"][self.STACK] = stale

        assert self.only_disagreement(world).startswith(
            f"Coolify reports the patroni stack of postgres-node-4 (builder.lan) as {stale}, but "
            "the component answers"
        )

    @pytest.mark.parametrize("fine", ["running:healthy", "running:unknown", "running"])
    def test_running_is_running(self, world: World, fine: str) -> None:
        world.coolify["stacks"][self.STACK] = fine

        assert verdict(world)["disagreements"] == []

    def test_a_stack_it_does_not_know(self, world: World) -> None:
        del world.coolify["stacks"][self.STACK]

        expected = "Coolify does not know the patroni stack of postgres-node-4"
        assert self.only_disagreement(world).startswith(expected)
        assert verdict(world)["members"][3]["coolify"]["patroni"] is None

    def test_running_while_the_component_does_not_answer(self, world: World) -> None:
        world.patroni["builder.lan"] = {"error": "refused"}

        data = verdict(world)
        assert data["disagreements"] == [
            "Coolify reports the patroni stack of postgres-node-4 (builder.lan) as "
            "running:healthy, but the component does not."
        ]
        assert data["problems"] == ["Patroni of postgres-node-4 (builder.lan): refused."]

    def test_unreachable(self, world: World) -> None:
        world.coolify = {"reachable": False, "stacks": {}, "error": "http://c:8000 timed out."}

        assert self.only_disagreement(world) == (
            "Coolify's view is unknown: http://c:8000 timed out."
        )
        assert verdict(world)["members"][0]["coolify"] is None

    def test_the_controller_is_silent(self, world: World) -> None:
        world.coolify = None

        assert "controller.lan did not answer" in self.only_disagreement(world)
