"""The verdict on etcd: every planned voter votes, and how much may still be lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.topology import Node, Topology
from pgha.verdict.findings import Answers, Findings, answer_of, called, compare_listings
from pgha.voters import quorum_of


def judge_etcd(topology: Topology, etcd: Answers) -> Findings:
    """Everything that etcd's members say against the cluster."""
    findings = Findings()
    for node in topology.nodes:
        answer = answer_of(etcd, node)
        if answer is not None:
            _judge_member(topology, node, answer, findings)
    listings = {node.name: _listed(answer_of(etcd, node)) for node in topology.nodes}
    given = {viewer: listed for viewer, listed in listings.items() if listed}
    members = [node.name for node in topology.nodes_with("etcd")]
    compare_listings("etcd", topology, given, findings, members)
    _judge_clients(topology, given, findings)
    _judge_leaders(topology, etcd, findings)
    _judge_quorum(topology, etcd, findings)
    return findings


def quorum_summary(topology: Topology, etcd: Answers) -> dict[str, int]:
    """``{voters, healthy_voters, quorum, failure_tolerance}``; the last is what may still fail."""
    voters = len(topology.voters)
    healthy = sum(_votes(answer_of(etcd, topology.node(name))) for name in topology.voters)
    quorum = quorum_of(voters)
    return {
        "voters": voters,
        "healthy_voters": healthy,
        "quorum": quorum,
        "failure_tolerance": max(healthy - quorum, 0),
    }


def role_in_etcd(answer: Mapping[str, Any] | None) -> str:
    """``leader``, ``voter``, ``learner``, ``client``, ``error: ...`` or ``silent``."""
    if answer is None:
        return "silent"
    if answer.get("error"):
        return f"error: {answer['error']}"
    if not answer.get("healthy"):
        return "error: not healthy"
    if answer.get("is_client"):
        return "client"
    if answer.get("is_learner"):
        return "learner"
    return "leader" if answer.get("is_leader") else "voter"


def _votes(answer: Mapping[str, Any] | None) -> bool:
    return role_in_etcd(answer) in ("leader", "voter")


def _judge_member(
    topology: Topology, node: Node, answer: Mapping[str, Any], findings: Findings
) -> None:
    role = role_in_etcd(answer)
    if role.startswith("error: "):
        text = role.removeprefix("error: ").strip().rstrip(".")
        findings.problem(f"etcd of {called(node)}: {text}.")
    elif role == "learner" and node.name in topology.voters:
        findings.problem(
            f"etcd of {called(node)} is a learner but should vote; run the deploy again."
        )
    elif role in ("leader", "voter") and node.name not in topology.voters:
        findings.problem(
            f"etcd of {called(node)} votes but should be a learner; run the deploy again."
        )


def _judge_clients(
    topology: Topology, listings: Mapping[str, set[str]], findings: Findings
) -> None:
    listed = set().union(*listings.values())
    for name in topology.etcd_clients:
        if name in listed:
            findings.contradiction(
                f"etcd lists {called(topology.node(name))} as a member, but it should run no etcd; "
                "the deploy says how to remove it."
            )


def _listed(answer: Mapping[str, Any] | None) -> set[str]:
    # A member that was added but has not started yet has no name.
    members = (answer or {}).get("members") or []
    return {str(member["name"]) for member in members if member.get("name")}


def _judge_leaders(topology: Topology, etcd: Answers, findings: Findings) -> None:
    answers = [(node, answer_of(etcd, node)) for node in topology.nodes_with("etcd")]
    leaders = [node for node, answer in answers if role_in_etcd(answer) == "leader"]
    if len(leaders) > 1:
        names = " and ".join(called(node) for node in leaders)
        findings.contradiction(
            f"{names} both say that they lead etcd; ask again, an election may be under way."
        )


def _judge_quorum(topology: Topology, etcd: Answers, findings: Findings) -> None:
    summary = quorum_summary(topology, etcd)
    if summary["healthy_voters"] < summary["quorum"]:
        findings.problem(
            f"etcd has no quorum: {summary['healthy_voters']} of {summary['voters']} voters are "
            f"healthy and {summary['quorum']} are needed; no failover is possible until they are "
            "back."
        )
