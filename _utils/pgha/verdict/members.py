"""The verdict on PostgreSQL's members: one leader, all others streaming on its timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.topology import Node, Topology
from pgha.verdict.findings import Answers, Findings, answer_of, called, compare_listings

LEADER_ROLES = ("leader", "primary", "master")


def judge_members(topology: Topology, patroni: Answers) -> Findings:
    """Everything the members' own answers say against the cluster."""
    findings = Findings()
    for node in topology.nodes:
        answer = answer_of(patroni, node)
        if answer is not None and answer.get("error"):
            findings.problem(f"Patroni of {called(node)}: {_sentence(answer['error'])}")
    _judge_leaders(topology, patroni, findings)
    _judge_replicas(topology, patroni, findings)
    _judge_views(topology, patroni, findings)
    _judge_pause(topology, patroni, findings)
    return findings


def leader_of(topology: Topology, patroni: Answers) -> Node | None:
    """The one node that says of itself that it is the leader; None for none or several."""
    leaders = self_declared_leaders(topology, patroni)
    return leaders[0] if len(leaders) == 1 else None


def self_declared_leaders(topology: Topology, patroni: Answers) -> list[Node]:
    """Every node that says of itself that it is the leader."""
    return [
        node
        for node in topology.nodes
        if (answer_of(patroni, node) or {}).get("role") in LEADER_ROLES
    ]


def _judge_leaders(topology: Topology, patroni: Answers, findings: Findings) -> None:
    leaders = self_declared_leaders(topology, patroni)
    if len(leaders) > 1:
        names = " and ".join(called(node) for node in leaders)
        findings.contradiction(
            f"{len(leaders)} members say that they are the leader: {names}; stop writing, and "
            "compare timelines with `patronictl list` before anything else."
        )
    if not leaders:
        findings.problem(
            "No member says that it is the leader, so nothing can be written; look at "
            "`patronictl list` and at the log of Patroni on any server."
        )
    for node in leaders:
        state = (answer_of(patroni, node) or {}).get("state")
        if state != "running":
            findings.problem(f"The leader {called(node)} is in state {state}, not running.")


def _judge_replicas(topology: Topology, patroni: Answers, findings: Findings) -> None:
    leader = leader_of(topology, patroni)
    timeline = _timeline(answer_of(patroni, leader)) if leader else None
    for node in topology.nodes:
        answer = answer_of(patroni, node)
        if answer is None or answer.get("error") or answer.get("role") in LEADER_ROLES:
            continue
        if answer.get("role") is None:
            findings.problem(f"{called(node)} does not know whether it is leader or replica yet.")
            continue
        if answer.get("state") != "streaming":
            findings.problem(
                f"The replica {called(node)} is in state {answer.get('state')}, not streaming; see "
                "the log of Patroni there."
            )
        own = _timeline(answer)
        if leader and own != timeline:
            findings.contradiction(
                f"The replica {called(node)} is on timeline {own} but the leader "
                f"{called(leader)} is on timeline {timeline}."
            )


def _judge_views(topology: Topology, patroni: Answers, findings: Findings) -> None:
    """Compare what each member says about the others with what they say themselves."""
    leader = leader_of(topology, patroni)
    listings: dict[str, set[str]] = {}
    for node in topology.nodes:
        answer = answer_of(patroni, node)
        if answer is None or not answer.get("members"):
            continue
        listings[node.name] = {str(member.get("name")) for member in answer["members"]}
        seen = answer.get("leader")
        if leader and seen != leader.name:
            findings.contradiction(
                f"{called(node)} sees {seen or 'no leader'} as the leader, but "
                f"{called(leader)} says that it is."
            )
    compare_listings("Patroni", topology, listings, findings)


def _judge_pause(topology: Topology, patroni: Answers, findings: Findings) -> None:
    views = {node: _view_of_pause(answer_of(patroni, node)) for node in topology.nodes}
    paused = [node.name for node, view in views.items() if view is True]
    running = [node.name for node, view in views.items() if view is False]
    if paused and running:
        findings.differ(
            f"{', '.join(paused)} see the cluster paused, {', '.join(running)} do not; a pause "
            "takes up to patroni_loop_wait seconds to be seen everywhere."
        )


def is_paused(topology: Topology, patroni: Answers) -> bool:
    """True when any member sees the cluster paused: then nobody fails over by itself."""
    return any(_view_of_pause(answer_of(patroni, node)) for node in topology.nodes)


def _view_of_pause(answer: Mapping[str, Any] | None) -> bool | None:
    if answer is None or answer.get("error") or "paused" not in answer:
        return None
    return bool(answer["paused"])


def _timeline(answer: Mapping[str, Any] | None) -> int | None:
    return (answer or {}).get("timeline")


def _sentence(text: object) -> str:
    return f"{str(text).strip().rstrip('.')}."
