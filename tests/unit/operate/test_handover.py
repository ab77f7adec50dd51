"""The seconds in which clients are held: the order, every way to fail, and always RESUME."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import FailedError, RefusedError
from pgha.operate import handover
from pgha.operate.handover import Limits, Report, hand_over
from pgha.topology import Node
from tests.unit.operate.world import World

LIMITS = Limits(pause_s=0.01, hold_s=5, streaming_s=5)
IN_VAIN = {"hold_s": 0.1, "streaming_s": 0.1}
"""For what never happens; what does may take its time on a busy machine."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "LOOK_S", 0.001)
    monkeypatch.setattr(handover, "ROUTE_LOOK_S", 0.001)
    monkeypatch.setattr(handover, "OTHERS_AFTER_S", 0.0)


@pytest.fixture
def world() -> World:
    return World()


def run(world: Any, **changes: Any) -> Report:
    old, new = world.topology.nodes[:2]
    return hand_over(world, old, new, Limits(**{**vars(LIMITS), **changes}))


def verbs(world: World) -> list[str]:
    """The kinds of what was done, without repetition."""
    return list(dict.fromkeys(line.split()[0] for line in world.did))


def test_clients_are_held_while_the_lead_moves_and_let_go_when_the_routers_follow(
    world: World,
) -> None:
    report = run(world)
    assert verbs(world) == ["pause", "switchover", "route", "resume"]
    assert (report.old, report.new) == ("postgres-node-1", "postgres-node-2")
    assert (report.timeline_before, report.timeline_after) == (4, 5)
    assert list(report.phases) == ["pause", "promote", "route", "resume", "streaming"]
    assert (report.errors, world.held) == ([], set())


def test_who_no_longer_leads_hands_nothing_over(world: World) -> None:
    world.leader = world.topology.nodes[2]
    with pytest.raises(RefusedError, match=r"postgres-node-1.*does not lead any more"):
        run(world)
    assert world.did == []


def test_open_transactions_end_the_attempt_and_name_the_server(world: World) -> None:
    world.busy = {"builder.lan": 3}
    with pytest.raises(RefusedError, match=r"pool of builder.lan \(3\).*all clients go on"):
        run(world)
    assert verbs(world) == ["pause", "resume"]
    assert world.held == set()


def test_force_breaks_open_transactions_off_and_says_so(world: World) -> None:
    world.busy = {"builder.lan": 3}
    report = run(world, force=True)
    assert world.leader == world.topology.nodes[1]
    assert "builder.lan" in " ".join(report.errors)


def test_a_pool_that_cannot_be_held_is_a_refusal_before_anything_is_paused(world: World) -> None:
    world.deaf = {"controller.lan"}
    with pytest.raises(RefusedError, match=r"controller.lan.*would see errors"):
        run(world)
    assert world.did == []
    assert run(world, force=True).new == "postgres-node-2"


def test_when_patroni_refuses_the_old_leader_is_reported_and_clients_go_on(world: World) -> None:
    world.when_asked = world.refuse
    with pytest.raises(FailedError) as caught:
        run(world, hold_s=5)
    said = str(caught.value)
    assert "postgres-node-1 (app-server-1.lan) goes on leading: Patroni answered 412" in said
    assert "let go" in said
    assert world.held == set()


def test_when_nobody_is_promoted_clients_are_let_go_and_it_is_said(world: World) -> None:
    def die(_: Node) -> str:
        world.leader = None
        return "ok"

    world.when_asked = die
    with pytest.raises(FailedError, match=r"Gave up waiting for postgres-node-2.*No node takes wr"):
        run(world, **IN_VAIN)
    assert world.held == set()


def test_another_node_that_patroni_chose_is_taken_as_the_leader(world: World) -> None:
    third = world.topology.nodes[2]
    world.when_asked = lambda _: world.promote(third)
    report = run(world, hold_s=5)
    assert report.new == third.name
    assert "was promoted instead of postgres-node-2" in report.errors[0]


def test_a_router_that_does_not_follow_is_named_after_the_clients_were_let_go(world: World) -> None:
    world.stuck_routers = {"builder.lan"}
    with pytest.raises(FailedError, match=r"these routers do not lead to it: builder.lan"):
        run(world, **IN_VAIN)
    assert world.held == set()


def test_a_replica_that_does_not_follow_is_named(world: World) -> None:
    world.behind = {world.topology.nodes[3]}
    with pytest.raises(FailedError, match=r"leads. Gave up.*postgres-node-4 is on timeline 4"):
        run(world, **IN_VAIN)


def test_a_node_that_was_down_before_is_not_waited_for(world: World) -> None:
    world.down = {world.topology.nodes[3]}
    assert run(world).timeline_after == 5


def test_an_unexpected_error_lets_the_clients_go_as_well(world: World) -> None:
    def asked(node: Node) -> str:
        world.takes_writes = broken  # type: ignore[method-assign]
        return world.promote(node)

    def broken(_: Node) -> bool:
        raise ZeroDivisionError

    world.when_asked = asked
    with pytest.raises(ZeroDivisionError):
        run(world)
    assert verbs(world)[-1] == "resume"
    assert world.held == set()
