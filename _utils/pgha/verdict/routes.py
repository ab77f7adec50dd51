"""The verdict on the way in: from each server through its own router to the right member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.errors import NotFoundError
from pgha.topology import Node, Topology
from pgha.verdict.findings import Answers, Findings, answer_of, called

ROUTES = {
    "read_write": ("Writing", "port"),
    "read_only": ("Reading", "replica_port"),
    "pool": ("Writing through the pool", "pool_port"),
}
"""Route -> what one does on it, and the field of the topology with its port."""


def judge_routes(topology: Topology, routes: Answers, leader: Node | None) -> Findings:
    """Every route of every server that does not work or leads to the wrong member."""
    findings = Findings()
    for node in topology.nodes:
        answer = answer_of(routes, node)
        if answer is None:
            continue
        if answer.get("error"):
            text = str(answer["error"]).strip().rstrip(".")
            findings.problem(f"The routes of {called(node)} could not be tried: {text}.")
            continue
        for route in ROUTES:
            _judge_route(topology, node, route, answer.get(route), findings)
            if leader and route != "read_only":
                _judge_target(topology, node, route, answer.get(route), leader, findings)
    return findings


def route_works(answer: Mapping[str, Any] | None, route: str) -> bool | None:
    """True or False as tried, None when it was not tried."""
    tried = (answer or {}).get(route)
    return bool(tried.get("ok")) if isinstance(tried, Mapping) else None


def _judge_route(
    topology: Topology, node: Node, route: str, tried: object, findings: Findings
) -> None:
    doing, port_field = ROUTES[route]
    where = f"{topology.hostname}:{getattr(topology, port_field)}"
    if not isinstance(tried, Mapping):
        findings.problem(f"{doing} through {where} was not tried on {called(node)}.")
    elif not tried.get("ok"):
        text = str(tried.get("error") or "no reason given").strip().rstrip(".")
        findings.problem(f"{doing} through {where} fails on {called(node)}: {text}.")


def _judge_target(
    topology: Topology, node: Node, route: str, tried: object, leader: Node, findings: Findings
) -> None:
    reached = _reached(topology, tried)
    if reached and reached != leader:
        findings.contradiction(
            f"{ROUTES[route][0]} on {called(node)} arrives at {called(reached)}, but the leader is "
            f"{called(leader)}."
        )


def _reached(topology: Topology, tried: object) -> Node | None:
    """The member that answered, by name, host or address; None when that cannot be told."""
    server = tried.get("server") if isinstance(tried, Mapping) and tried.get("ok") else None
    if not isinstance(server, str):
        return None
    for node in topology.nodes:
        if server == node.ip:
            return node
    try:
        return topology.node(server)
    except NotFoundError:
        return None
