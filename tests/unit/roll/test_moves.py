"""The order of a roll: replicas, switchover, former leader; the other way for lowered limits."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.roll.moves import Kind, Member, Move, all_moves, next_move

NAMES = ("n-1", "n-2", "n-3")
RAISED = {"max_connections": {"old_value": "200", "new_value": "250"}}
LOWERED = {"max_connections": {"old_value": "200", "new_value": "150"}}
BUFFERS = {"shared_buffers": {"old_value": "128MB", "new_value": "256MB"}}
SMALLER_BUFFERS = {"shared_buffers": {"old_value": "256MB", "new_value": "128MB"}}
MORE_SENDERS = {"max_wal_senders": {"old_value": "20", "new_value": "30"}}


def members(reasons: Any = None, leader: str = "n-1", recreate: Any = ()) -> list[Member]:
    """Three members of which all wait for the same."""
    return [Member(name, name == leader, reasons or {}, name in recreate) for name in NAMES]


def told(found: list[Member]) -> list[str]:
    return [f"{move.name} {move.kind.name}" for move in all_moves(found)]


def test_nobody_due_nothing_to_do() -> None:
    assert next_move(members()) is None
    assert all_moves(members()) == []


@pytest.mark.parametrize("reasons", [RAISED, BUFFERS, SMALLER_BUFFERS])
def test_replicas_first_then_switchover_then_the_former_leader(reasons: Any) -> None:
    assert told(members(reasons, leader="n-2")) == [
        "n-1 RESTART", "n-3 RESTART", "n-2 SWITCHOVER",
    ]  # fmt: skip


@pytest.mark.parametrize("reasons", [LOWERED, {**LOWERED, **BUFFERS}])
def test_a_lowered_limit_begins_with_the_leader_in_place(reasons: Any) -> None:
    assert told(members(reasons, leader="n-2")) == [
        "n-2 RESTART_LEADER", "n-1 RESTART", "n-3 RESTART",
    ]  # fmt: skip


def test_one_limit_lowered_and_another_raised_takes_two_restarts_of_the_replicas() -> None:
    assert told(members({**LOWERED, **MORE_SENDERS})) == [
        "n-2 RESTART", "n-3 RESTART", "n-1 RESTART_LEADER", "n-2 RESTART", "n-3 RESTART",
    ]  # fmt: skip


def test_new_containers_settle_a_pending_restart_too() -> None:
    assert told(members(RAISED, recreate=NAMES)) == [
        "n-2 RECREATE", "n-3 RECREATE", "n-1 SWITCHOVER", "n-1 RECREATE",
    ]  # fmt: skip


def test_a_lowered_limit_and_new_containers() -> None:
    assert told(members(LOWERED, recreate=NAMES)) == [
        "n-1 RESTART_LEADER", "n-2 RECREATE", "n-3 RECREATE", "n-1 SWITCHOVER", "n-1 RECREATE",
    ]  # fmt: skip


def test_a_roll_goes_on_where_an_interrupted_one_ended() -> None:
    left = [Member("n-1", True, RAISED), Member("n-2"), Member("n-3", reasons=RAISED)]
    assert told(left) == ["n-3 RESTART", "n-1 SWITCHOVER"]
    after_the_switchover = [Member("n-1", reasons=RAISED), Member("n-2", True), Member("n-3")]
    assert told(after_the_switchover) == ["n-1 RESTART"]


def test_only_replicas_due_need_no_switchover() -> None:
    assert told(members(recreate=("n-2",))) == ["n-2 RECREATE"]


def test_a_failover_during_a_lowering_changes_who_goes_first() -> None:
    """The heir leads with the old value, so it is the one that must restart in place."""
    assert next_move(members(LOWERED, leader="n-3")) == Move(
        Kind.RESTART_LEADER, "n-3", ("max_connections",)
    )


def test_a_move_reads_as_a_sentence() -> None:
    assert str(Move(Kind.RESTART, "n-2")) == "n-2 restarts"
