"""Roll what PostgreSQL's members wait for: restarts, and containers of an older text.

Who leads and who waits is looked up before every move, never remembered: a run that was interrupted
goes on with what is left, and a failover in the middle changes the order and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.deploy.deployment import Deployment
from pgha.errors import FailedError, TimedOutError
from pgha.operate.switchover import prepare, switch_over
from pgha.roll.moves import Kind, Member, Move, all_moves, next_move
from pgha.roll.plan import settings_changes
from pgha.roll.stacks import nodes_pending, recreate
from pgha.wait import Pending, poll

RESTART_DEADLINE_S = 300
"""A shutdown checkpoint on a slow disk, and the replay of what it missed."""
READY_DEADLINE_S = 300
TAKEN_DEADLINE_S = 30
LOOK_TIMEOUT_S = 30
ANSWERS_DEADLINE_S = 15
"""A busy member that misses one question answers the next."""


def look(deployment: Deployment, changes: Mapping[str, Any] | None = None) -> list[Member]:
    """Every member as it is now, in declared order.

    Args:
        changes: settings that were just changed; every member must have taken them, or wait for a
            restart because of them, within some seconds.

    Raises:
        FailedError: a member does not answer, or nobody leads, for a while; a roll needs all of
            them.
    """

    def check() -> dict[str, Any] | Pending:
        seen = _rollout(deployment, changes)
        late = " ".join(seen["late"]) or "no member leads."
        return Pending(late) if seen["late"] or seen["leader"] is None else seen

    what = "an answer of every member"
    try:
        seen = poll(check, deadline_s=ANSWERS_DEADLINE_S, interval_s=1.0, what=what)
    except TimedOutError as error:
        raise FailedError(
            f"Members are only restarted while all of them answer. {error} Mend that and run the "
            "deploy again, which goes on from here."
        ) from error
    deployment.leader = seen["leader"]
    return members_of(deployment, seen["pending_restart"], seen["leader"])


def _rollout(deployment: Deployment, changes: Mapping[str, Any] | None) -> dict[str, Any]:
    seen: dict[str, Any] = deployment.ask_one(
        deployment.topology.nodes[0].host,
        "patroni.config_rollout",
        changes=dict(changes or {}),
        deadline=TAKEN_DEADLINE_S,
        timeout_s=TAKEN_DEADLINE_S + LOOK_TIMEOUT_S,
    )
    return seen


def members_of(deployment: Deployment, pending: dict[str, Any], leader: str | None) -> list[Member]:
    """The members for `next_move`: ``pending`` is ``{member: {parameter: change}}``."""
    old = {node.name for node in nodes_pending(deployment, "patroni")}
    return [
        Member(node.name, node.name == leader, pending.get(node.name, {}), node.name in old)
        for node in deployment.topology.nodes
    ]


def roll_members(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Make one move after the other until no member waits; returns changes and sentences.

    Raises:
        FailedError: a member did not come back, or a move did not settle anything. Nothing more is
            touched; run again, it goes on with what is left.
    """
    changes: dict[str, Any] = {}
    report: list[str] = []
    made: list[Move] = []
    members = look(deployment, settings_changes(deployment))
    if moves := all_moves(members):
        deployment.say("Order: " + "; ".join(map(str, moves)))
    while move := next_move(members):
        if move in made:
            raise FailedError(_unsettled(move))
        made.append(move)
        done, told = _make(deployment, move)
        changes |= done
        report += told
        members = look(deployment)
    return changes, report


def _make(deployment: Deployment, move: Move) -> tuple[dict[str, Any], list[str]]:
    if move.kind is Kind.SWITCHOVER:
        outcome = switch_over(deployment)
        return outcome.changes, outcome.report
    report: list[str] = []
    if move.kind is Kind.RESTART_LEADER:
        prepare(deployment, deployment.topology.node(move.name), force=False)
    with deployment.step(f"{move} and serves again"):
        if move.kind is Kind.RECREATE:
            _recreate(deployment, move)
        else:
            report = _restart(deployment, move)
    return {_key(move): _change(move)}, report


def _restart(deployment: Deployment, move: Move) -> list[str]:
    host = deployment.topology.node(move.name).host
    done = deployment.ask_one(
        host,
        "postgres_roll.restart",
        deadline=RESTART_DEADLINE_S,
        hold=move.kind is Kind.RESTART_LEADER,
        timeout_s=RESTART_DEADLINE_S + 30,
    )
    if not done or "held_ms" not in done:
        return []
    held = done["held_ms"] / 1000
    return [f"{move.name} restarted as leader; clients of the pools waited at most {held:.2f} s."]


def _recreate(deployment: Deployment, move: Move) -> None:
    node = deployment.topology.node(move.name)
    recreate(deployment, node, "patroni")
    deployment.ask_one(
        node.host,
        "postgres_roll.wait_ready",
        deadline=READY_DEADLINE_S,
        timeout_s=READY_DEADLINE_S + 30,
    )


def _key(move: Move) -> str:
    return f"PostgreSQL on {move.name}"


def _change(move: Move) -> dict[str, str]:
    if move.kind is Kind.RECREATE:
        return {"old": "old containers", "new": "recreated"}
    return {"old": f"old {', '.join(move.why)}", "new": "restarted"}


def _unsettled(move: Move) -> str:
    if move.kind is Kind.SWITCHOVER:
        return f"{move.name} leads again after its switchover and was not touched; run it again."
    why = f" for {', '.join(move.why)}" if move.why else ""
    return (
        f"PostgreSQL on {move.name} was restarted and still waits for a restart{why}; see "
        "`pgha-logs patroni` there. No other member was touched since."
    )
