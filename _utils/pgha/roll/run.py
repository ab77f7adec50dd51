"""The part of a deploy that restarts what a change needs restarted (``postgresql_rolling``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgha.deploy.deployment import Deployment
from pgha.roll import etcd, members, routers
from pgha.roll.moves import Member, Move, all_moves
from pgha.roll.plan import known_leader, plan, settings_changes, waiting
from pgha.roll.stacks import nodes_pending, recreate

MANUAL = "manual"
SERVING = ("running", "streaming")


def announce(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Show what each change will do before anything is done; no change of its own."""
    lines = [str(each) for each in plan(deployment)]
    for line in lines:
        deployment.say(f"Plan: {line}")
    return {}, [f"{line}." for line in lines]


def roll(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Roll everything that is due, one member at a time; returns changes and sentences.

    Nothing is asked of anybody when the deploy has seen nothing that could be due.

    Raises:
        FailedError: something did not come back; the rest was not touched and stays due.
    """
    if not _is_due(deployment):
        return {}, []
    if deployment.topology.rolling == MANUAL:
        return {}, _left_to_the_operator(deployment, _present(deployment))
    if deployment.test:
        return _planned(deployment)
    changes = etcd.roll_etcd(deployment)
    report: list[str] = []
    if deployment.restarts or nodes_pending(deployment, "patroni"):
        done, report = members.roll_members(deployment)
        changes |= done
    return changes | routers.roll_routers(deployment), report


def recreate_the_unwell(deployment: Deployment) -> dict[str, Any]:
    """Recreate members at once that have old containers and do not serve: nothing is lost by it,
    and waiting for them would be waiting for ever."""
    nodes = nodes_pending(deployment, "patroni")
    if not nodes or deployment.test or deployment.topology.rolling == MANUAL:
        return {}
    answers = deployment.fleet.ask(
        [node.host for node in nodes], "patroni.status", cluster=deployment.topology.cluster
    )
    changes: dict[str, Any] = {}
    for node in nodes:
        seen = answers[node.host].value or {}
        if seen.get("state") in SERVING:
            continue
        with deployment.step(f"{node.name}, which does not serve, is recreated"):
            recreate(deployment, node, "patroni")
        changes[f"PostgreSQL on {node.name}"] = {"old": "did not serve", "new": "recreated"}
    return changes


def _is_due(deployment: Deployment) -> bool:
    return bool(deployment.pending or deployment.stale or deployment.restarts)


def _planned(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    changes: dict[str, Any] = {
        f"etcd on {node.name}": {"old": "old configuration", "new": "would be restarted"}
        for node in etcd.due(deployment)
    }
    moves = planned_moves(deployment)
    changes |= {
        f"{number}. PostgreSQL": {"old": None, "new": str(move)}
        for number, move in enumerate(moves, 1)
    }
    for node in nodes_pending(deployment, "router"):
        changes[f"router of {node.name}"] = {"old": "old text", "new": "would be recreated"}
    return changes, []


def planned_moves(deployment: Deployment) -> list[Move]:
    """The moves that the present declaration will need, from what the check saw."""
    return all_moves(_members_after_the_change(deployment))


def _present(deployment: Deployment) -> list[Member]:
    if deployment.test:
        return _members_after_the_change(deployment)
    return members.look(deployment) if deployment.restarts else []


def _members_after_the_change(deployment: Deployment) -> list[Member]:
    leader = known_leader(deployment)
    if leader is None:
        return []
    wanted = {
        key.rpartition(".")[2]: {"old_value": change["old"], "new_value": change["new"]}
        for key, change in settings_changes(deployment).items()
        if change["context"] == "postmaster"
    }
    pending = waiting(deployment)
    reasons = {
        node.name: {**pending.get(node.name, {}), **wanted} for node in deployment.topology.nodes
    }
    return members.members_of(deployment, reasons, leader)


def _left_to_the_operator(deployment: Deployment, present: Sequence[Member]) -> list[str]:
    what = [f"the containers of {name}" for name in sorted(deployment.pending)]
    what += [f"etcd on {name}" for name in sorted(deployment.stale)]
    what += [
        f"PostgreSQL on {member.name} ({', '.join(sorted(member.reasons))})"
        for member in present
        if member.reasons
    ]
    if not what:
        return []
    return [
        f"postgresql_rolling is manual, so a restart is due and was not made: {', '.join(what)}. "
        'Run the deploy with pillar=\'{"postgresql_rolling": "auto"}\' to roll them.'
    ]
