"""A roll asks nobody when nothing is due, goes one by one, and stops at the first failure."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

from pgha import wait
from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import Answer
from pgha.errors import FailedError
from pgha.operate.operation import Outcome
from pgha.render.compose import STACK_COMPONENTS, stack_containers, stack_name
from pgha.roll import etcd, members, run
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet

CLUSTER = topology()
NAMES = [node.name for node in CLUSTER.nodes]
HOST = {node.name: node.host for node in CLUSTER.nodes}
RAISED = {"max_connections": {"old_value": "200", "new_value": "250"}}
LOWERED = {"max_connections": {"old_value": "250", "new_value": "200"}}
CHANGE = {"old": 200, "new": 250, "context": "postmaster"}


def name_of(node: str, component: str) -> str:
    return stack_name(CLUSTER, CLUSTER.node(node), component)


class World:
    """A cluster that does what it is told: restarts clear reasons, switchovers move the lead."""

    def __init__(self, reasons: Any = None) -> None:
        self.leader = NAMES[0]
        self.reasons = {name: dict(reasons) for name in NAMES} if reasons else {}
        self.stuck: set[str] = set()
        self.etcd_down: set[str] = set()
        self.etcd_leader = NAMES[1]
        self.converged: list[dict[str, Any]] = []
        self.fleet = FakeFleet(
            {
                "patroni.config_rollout": self.rollout,
                "postgres_roll.restart": self.restart,
                "postgres_roll.wait_ready": {},
                "postgres_pool.guard": 1,
                "postgres_db.checkpoint": 0.1,
                "coolify.converge": self.converge,
                "postgres_node.wait_recreated": ["new"],
                "postgres_node.restart": ["etcd-x"],
                "postgres_node.prove": {},
                "etcd_cluster.status": self.etcd_status,
                "patroni.status": {"state": "streaming"},
            }
        )

    def rollout(self, minion: str, **_: Any) -> dict[str, Any]:
        return {
            "pending_restart": {k: dict(v) for k, v in self.reasons.items()},
            "leader": self.leader,
            "late": [],
        }

    def restart(self, minion: str, **keywords: Any) -> dict[str, Any]:
        name = CLUSTER.node(minion).name
        if name not in self.stuck:
            self.reasons.pop(name, None)
        return {"held_ms": 900} if keywords["hold"] else {}

    def converge(self, minion: str, **keywords: Any) -> dict[str, Any]:
        self.converged.append(keywords)
        (component,), (node,) = keywords["components"], keywords["nodes"]
        self.reasons.pop(node, None)
        return {"recreated": [name_of(node, component)], "started": []}

    def etcd_status(self, minion: str, **_: Any) -> dict[str, Any]:
        name = CLUSTER.node(minion).name
        return {
            "healthy": name not in self.etcd_down,
            "is_leader": name == self.etcd_leader,
            "healthy_voters": len([n for n in CLUSTER.voters if n not in self.etcd_down]),
            "error": None,
        }

    def switch_over(self, operation: Any) -> Outcome:
        old, self.leader = self.leader, NAMES[1]
        self.fleet.asked.append(((), "switch_over", {}))
        return Outcome({"leader": {"old": old, "new": self.leader}}, ["It took 2 s."])

    def touched(self) -> list[str]:
        """What was done to whom, in order."""
        found = []
        for minions, function, keywords in self.fleet.asked:
            if function == "coolify.converge":
                found.append(f"recreate {keywords['components'][0]} {keywords['nodes'][0]}")
            elif function in ("postgres_roll.restart", "postgres_node.restart"):
                hold = " holding" if keywords.get("hold") else ""
                found.append(f"restart {CLUSTER.node(minions[0]).name}{hold}")
            elif function in ("switch_over", "postgres_node.prove"):
                found.append(function)
        return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(RAISED)
    monkeypatch.setattr(members, "switch_over", made.switch_over)
    return made


def deployment(world: World, *, test: bool = False, **more: Any) -> Deployment:
    stacks = {node: {name_of(node, part): part for part in STACK_COMPONENTS} for node in NAMES}
    facts = {
        HOST[node]: {
            "stacks": {k: dict.fromkeys(stack_containers(v), "running") for k, v in own.items()},
            "ids": {k: ["old"] for k in own},
        }
        for node, own in stacks.items()
    }
    said: list[str] = []
    found = Deployment(
        CLUSTER, world.fleet, lambda what: nullcontext(), test=test, say=said.append,
        facts=facts, **more,
    )  # fmt: skip
    found.keep.append(said)
    return found


def said(found: Deployment) -> list[str]:
    (lines,) = found.keep
    assert isinstance(lines, list)
    return lines


def test_nothing_due_asks_nobody(world: World) -> None:
    assert run.roll(deployment(world)) == ({}, [])
    assert world.fleet.asked == []


def test_raised_setting_rolls_replicas_then_the_former_leader(world: World) -> None:
    found = deployment(world, restarts=True)
    changes, report = run.roll(found)
    first, *replicas = NAMES
    assert world.touched() == [
        *(f"restart {name}" for name in replicas), "switch_over", f"restart {first}",
    ]  # fmt: skip
    assert changes["leader"] == {"old": first, "new": NAMES[1]}
    assert len(changes) == len(NAMES) + 1
    assert report == ["It took 2 s."]
    assert said(found)[0].startswith("Order: postgres-node-2 restarts; ")


def test_lowered_setting_restarts_the_leader_in_place_first(world: World) -> None:
    world.reasons = {name: dict(LOWERED) for name in NAMES}
    _, (told,) = run.roll(deployment(world, restarts=True))
    assert "waited at most 0.90 s" in told
    assert world.touched()[0] == f"restart {NAMES[0]} holding"
    assert "switch_over" not in world.touched()
    assert len(world.touched()) == len(NAMES)


def test_member_that_still_waits_after_its_restart_ends_the_roll(world: World) -> None:
    world.stuck = {NAMES[1]}
    with pytest.raises(FailedError, match="still waits for a restart for max_connections"):
        run.roll(deployment(world, restarts=True))
    assert world.touched() == [f"restart {NAMES[1]}"]


def test_member_that_does_not_come_back_ends_the_roll(world: World) -> None:
    world.fleet.replies["postgres_roll.restart"] = Answer(
        error="Gave up waiting for postgres-node-2"
    )
    with pytest.raises(FailedError, match="Gave up waiting"):
        run.roll(deployment(world, restarts=True))
    assert world.touched() == [f"restart {NAMES[1]}"]


def test_members_are_not_rolled_while_one_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "ANSWERS_DEADLINE_S", 0)
    answer = {"pending_restart": {}, "leader": NAMES[0], "late": ["builder.lan is silent."]}
    world.fleet.replies["patroni.config_rollout"] = answer
    with pytest.raises(FailedError, match=r"builder\.lan is silent"):
        run.roll(deployment(world, restarts=True))
    assert world.touched() == []


def test_a_member_that_misses_one_question_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(members, "poll", partial(wait.poll, sleep=waits.append))
    answers = [{"late": ["builder.lan is silent."]}, {"leader": None}, {}]
    world.fleet.replies["patroni.config_rollout"] = lambda minion, **_: (
        world.rollout(minion) | (answers.pop(0) if answers else {})
    )
    found = members.look(deployment(world))
    assert [member.name for member in found if member.leads] == [world.leader]
    assert waits == [1.0, 1.0]


def test_changed_text_of_patroni_is_recreated_leader_last(world: World) -> None:
    world.reasons = {}
    found = deployment(world, pending={name_of(name, "patroni") for name in NAMES})
    run.roll(found)
    first, *replicas = NAMES
    assert world.touched() == [
        *(f"recreate patroni {name}" for name in replicas), "switch_over",
        f"recreate patroni {first}",
    ]  # fmt: skip
    assert found.pending == set()


def test_a_lost_container_beside_the_leaders_patroni_costs_no_client_an_error(
    world: World,
) -> None:
    world.reasons = {}
    name = name_of(NAMES[0], "patroni")
    found = deployment(world, pending={name})
    found.facts[HOST[NAMES[0]]]["stacks"][name] = {"patroni": "running"}
    run.roll(found)
    assert world.touched() == ["switch_over", f"recreate patroni {NAMES[0]}"]
    assert [keywords["not_running"] for keywords in world.converged] == [[name]]


def test_routers_are_recreated_and_proved_one_by_one(world: World) -> None:
    found = deployment(world, pending={name_of(name, "router") for name in NAMES[:2]})
    run.roll(found)
    assert world.touched() == [
        f"recreate router {NAMES[0]}", "postgres_node.prove",
        f"recreate router {NAMES[1]}", "postgres_node.prove",
    ]  # fmt: skip


def test_etcd_goes_learner_first_and_leader_last(world: World) -> None:
    run.roll(deployment(world, stale=set(NAMES)))
    learner = CLUSTER.learners[0]
    order = [text.split()[-1] for text in world.touched()]
    assert order[0] == learner
    assert order[-1] == world.etcd_leader
    assert sorted(order) == sorted(NAMES)


def test_etcd_voter_is_not_stopped_while_another_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etcd, "VOTERS_DEADLINE_S", 0)
    world.etcd_down = {CLUSTER.voters[2]}
    with pytest.raises(FailedError, match="only 1 of the other 2 etcd voters"):
        run.roll(deployment(world, stale={CLUSTER.voters[0]}))
    assert world.touched() == []


def test_an_etcd_voter_that_misses_one_question_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etcd, "INTERVAL_S", 0)
    stale, missing = CLUSTER.voters[0], CLUSTER.voters[2]
    answers: list[dict[str, Any]] = []

    def status(minion: str, **keywords: Any) -> dict[str, Any]:
        # The first two are the order's and the refused look.
        world.etcd_down = {missing} if len(answers) <= len(NAMES) else set()
        answers.append(world.etcd_status(minion, **keywords))
        return answers[-1]

    world.fleet.replies["etcd_cluster.status"] = status
    run.roll(deployment(world, stale={stale}))
    assert [text.split()[-1] for text in world.touched()] == [stale]


def test_the_broken_etcd_voter_itself_may_be_renewed(world: World) -> None:
    broken = CLUSTER.voters[2]
    world.etcd_down = {broken}

    def converge(minion: str, **keywords: Any) -> dict[str, Any]:
        world.etcd_down = set()
        return world.converge(minion, **keywords)

    world.fleet.replies["coolify.converge"] = converge
    run.roll(deployment(world, pending={name_of(broken, "etcd")}))
    assert world.touched() == [f"recreate etcd {broken}"]


def test_manual_touches_nothing_and_says_what_is_due(world: World) -> None:
    found = deployment(world, restarts=True, stale={NAMES[0]})
    found.topology = topology(postgresql_rolling="manual")
    changes, (told,) = run.roll(found)
    assert changes == {}
    assert "etcd on postgres-node-1" in told
    assert "PostgreSQL on postgres-node-4 (max_connections)" in told
    assert "postgresql_rolling" in told
    assert world.touched() == []


def outlook(**changes: Any) -> dict[str, Any]:
    found = {"leader": NAMES[0], "pending": {}, "changes": {}, "error": None, **changes}
    return {HOST[name]: found for name in NAMES}


def test_plan_shows_impact_and_order_and_touches_nothing(world: World) -> None:
    changes = {"postgresql.parameters.max_connections": CHANGE}
    found = deployment(world, test=True, restarts=True, outlook=outlook(changes=changes))
    _, lines = run.announce(found)
    assert lines[0].startswith("max_connections 200 -> 250: switchover (replicas restart one")
    planned, _ = run.roll(found)
    assert list(planned.values())[-2:] == [
        {"old": None, "new": "postgres-node-4 restarts"},
        {"old": None, "new": "postgres-node-1 hands over to a replica and starts again as one"},
    ]
    assert world.fleet.asked == []


def test_plan_names_stacks_that_run_from_another_text(world: World) -> None:
    fresh, stale = {"current": True, "recreate_pending": False}, {"current": False}
    survey = {name_of(name, part): fresh for name in NAMES for part in STACK_COMPONENTS}
    survey[name_of(NAMES[2], "router")] = {**stale, "recreate_pending": False}
    found = deployment(world, survey={"stacks": survey}, outlook=outlook())
    assert run.announce(found) == (
        {}, ["containers of router on postgres-node-3: router restart (one server at a time)."],
    )  # fmt: skip
    assert said(found) == [
        "Plan: containers of router on postgres-node-3: router restart (one server at a time)"
    ]
