"""One verdict from everybody's answers: desired, Coolify's view, etcd's, and each member's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from pgha.topology import Node, Topology
from pgha.verdict.findings import Answers, Findings, answer_of, called
from pgha.verdict.members import is_paused, judge_members, leader_of
from pgha.verdict.quorum import judge_etcd, quorum_summary, role_in_etcd
from pgha.verdict.routes import judge_routes, route_works
from pgha.verdict.stacks import judge_coolify, stacks_of


def assemble(
    topology: Topology,
    patroni: Answers,
    etcd: Answers,
    routes: Answers,
    coolify: Mapping[str, Any] | None,
    now: float | datetime,
    backup: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Judge the cluster.

    It is healthy when exactly one member leads by its own word, all others stream on its timeline,
    every voter votes and every route works on every server. What Coolify says is shown and compared
    and never decides.

    Args:
        patroni: minion id -> return of ``patroni.status``; None or absent if it did not answer.
        etcd: minion id -> return of ``etcd_cluster.status``.
        routes: minion id -> ``{"read_write" | "read_only" | "pool": {"ok", "server", "error"}}``.
        coolify: ``{"reachable", "stacks": {stack name: status}, "error"}`` or None.
        now: when the answers were gathered; seconds since the epoch or a time with zone.
        backup: :func:`pgha.backup.store.summary` of what the Salt master has; None for nothing.

    Returns:
        JSON-ready ``{cluster, checked_at, healthy, problems, disagreements, leader, timeline,
        paused, members, etcd, backup}``. ``leader`` is a node name. A member is ``{node, host, ip,
        role, state, timeline, lag_bytes, pending_restart, pending_restart_reason, etcd, route_rw,
        route_ro, pool, coolify}``: the routes True, False or None (not tried), ``coolify``
        {component: status} or None. ``etcd`` is ``{voters, healthy_voters, quorum,
        failure_tolerance}``. ``backup`` is ``{last, verified}``: None or ``{name, at, age_s}``.
    """
    leader = leader_of(topology, patroni)
    findings = Findings()
    findings.add(_silent(topology, {"Patroni": patroni, "etcd": etcd, "the routes": routes}))
    findings.add(judge_members(topology, patroni))
    findings.add(judge_etcd(topology, etcd))
    findings.add(judge_routes(topology, routes, leader))
    findings.add(judge_coolify(topology, coolify, _running(topology, patroni, etcd, routes)))
    members = [_member(topology, node, patroni, etcd, routes, coolify) for node in topology.nodes]
    return {
        "cluster": topology.cluster,
        "checked_at": _timestamp(now),
        "healthy": not findings.problems,
        "problems": findings.problems,
        "disagreements": findings.disagreements,
        "leader": leader.name if leader else None,
        "timeline": (answer_of(patroni, leader) or {}).get("timeline") if leader else None,
        "paused": is_paused(topology, patroni),
        "members": members,
        "etcd": quorum_summary(topology, etcd),
        "backup": dict(backup or {"last": None, "verified": None}),
    }


def _silent(topology: Topology, questions: Mapping[str, Answers]) -> Findings:
    """Name each server that did not answer, once."""
    findings = Findings()
    for node in topology.nodes:
        unanswered = [
            about for about, answers in questions.items() if answer_of(answers, node) is None
        ]
        if not unanswered:
            continue
        about = "" if len(unanswered) == len(questions) else f" about {' and '.join(unanswered)}"
        findings.problem(
            f"{called(node)} did not answer{about}; check that the server is up and that "
            "salt-minion runs there."
        )
    return findings


def _member(
    topology: Topology,
    node: Node,
    patroni: Answers,
    etcd: Answers,
    routes: Answers,
    coolify: Mapping[str, Any] | None,
) -> dict[str, Any]:
    own = answer_of(patroni, node)
    tried = answer_of(routes, node)
    return {
        "node": node.name,
        "host": node.host,
        "ip": node.ip,
        **_postgresql(own),
        "etcd": role_in_etcd(answer_of(etcd, node)),
        "route_rw": route_works(tried, "read_write"),
        "route_ro": route_works(tried, "read_only"),
        "pool": route_works(tried, "pool"),
        "coolify": stacks_of(topology, node, coolify),
    }


def _postgresql(own: Mapping[str, Any] | None) -> dict[str, Any]:
    answer = own or {}
    silent_state = "silent" if own is None else "unknown"
    return {
        "role": answer.get("role"),
        "state": answer.get("state") or silent_state,
        "timeline": answer.get("timeline"),
        "lag_bytes": answer.get("lag_bytes"),
        "pending_restart": bool(answer.get("pending_restart")),
        "pending_restart_reason": dict(answer.get("pending_restart_reason") or {}),
    }


def _running(
    topology: Topology, patroni: Answers, etcd: Answers, routes: Answers
) -> dict[str, dict[str, bool]]:
    """Component -> node -> whether it answered; a silent minion says nothing about them."""
    running: dict[str, dict[str, bool]] = {"patroni": {}, "etcd": {}, "router": {}}
    for node in topology.nodes:
        own, member, tried = (answer_of(answers, node) for answers in (patroni, etcd, routes))
        if own is not None:
            running["patroni"][node.name] = not own.get("error")
        if member is not None:
            running["etcd"][node.name] = not role_in_etcd(member).startswith("error")
        if tried is not None:
            # One route that works proves a running router; none may also be PostgreSQL's fault.
            works = [route_works(tried, route) for route in ("read_write", "read_only", "pool")]
            if any(works):
                running["router"][node.name] = True
    return running


def _timestamp(now: float | datetime) -> str:
    moment = now if isinstance(now, datetime) else datetime.fromtimestamp(now, timezone.utc)
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds")
