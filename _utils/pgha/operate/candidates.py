"""Who may become leader, and why the others may not.

Judged from every node's own answer, not from etcd alone: a frozen server looks well there until its
ttl ends. The rules are Patroni's for a switchover (4.1, ha.py, ``failover_limitation`` and
``is_failover_possible``), with the lag limit that Patroni applies to a failover: a switchover to a
lagging replica would hold every client until it has caught up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgha.errors import RefusedError
from pgha.patroni.models import LEADER_ROLES
from pgha.topology import Node, Topology
from pgha.verdict.findings import called

Views = Mapping[str, "Mapping[str, Any] | None"]
"""Minion id -> its ``patroni.standing``, None when it did not answer."""

SYNCHRONOUS_ROLES = {"on": ("sync_standby",), "quorum": ("sync_standby", "quorum_standby")}


@dataclass(frozen=True)
class Candidate:
    """One node that does not lead.

    ``lag_bytes`` behind the leader (None when unknown), ``reason`` why it may not lead (None when
    it may), ``position`` in the WAL, ``passing``: the reason is that it has not caught up yet.
    """

    node: Node
    lag_bytes: int | None
    reason: str | None = None
    position: int | None = None
    passing: bool = False

    @property
    def sentence(self) -> str:
        """How the node stands, for the operator."""
        lag = "unknown lag" if self.lag_bytes is None else f"{self.lag_bytes} bytes behind"
        return f"{called(self.node)}: {self.reason or f'eligible, {lag}'}"


def leaders(topology: Topology, views: Views) -> list[Node]:
    """Every node that says of itself that it leads and runs."""
    return [
        node
        for node in topology.nodes
        if (view := views.get(node.host))
        and view.get("role") in LEADER_ROLES
        and view.get("state") == "running"
        and not view.get("error")
    ]


def is_paused(views: Views) -> bool:
    """Whether any node knows the cluster as paused (Patroni's maintenance mode)."""
    return any(view.get("paused") for view in views.values() if view)


def for_switchover(topology: Topology, leader: Node, views: Views) -> list[Candidate]:
    """Every node but the leader, in declared order, with the lags that the leader measures now."""
    leading = views.get(leader.host) or {}
    lags: Mapping[str, int | None] = leading.get("replicas") or {}
    return [
        _candidate(topology, node, lags.get(node.name), views.get(node.host), leading)
        for node in topology.nodes
        if node != leader
    ]


def may_pass(candidates: Sequence[Candidate], target: Node | None = None) -> bool:
    """Whether nobody (or not the target) may lead now, but perhaps in a moment."""
    asked = [each for each in candidates if target in (None, each.node)]
    return all(each.reason for each in asked) and any(each.passing for each in asked)


def for_failover(topology: Topology, views: Views) -> list[Candidate]:
    """Every node, when no leader is left: whoever can be promoted at all, however far behind."""
    return [_survivor(node, views.get(node.host)) for node in topology.nodes]


def choose(candidates: Sequence[Candidate], target: Node | None = None) -> Candidate:
    """The target, or the eligible candidate with the smallest lag, the first declared of equals.

    Raises:
        RefusedError: the target may not lead, or nobody may, with the reason of each.
    """
    if target is not None:
        wanted = next(candidate for candidate in candidates if candidate.node == target)
        if wanted.reason:
            raise RefusedError(f"{called(target)} cannot become leader: {wanted.reason}.")
        return wanted
    eligible = [candidate for candidate in candidates if candidate.reason is None]
    if not eligible:
        reasons = "; ".join(candidate.sentence for candidate in candidates)
        raise RefusedError(f"No node can become leader: {reasons}.")
    return min(eligible, key=_order)


def _survivor(node: Node, view: Mapping[str, Any] | None) -> Candidate:
    known = view or {}
    return Candidate(
        node, known.get("lag_bytes"), _failover_reason(view), known.get("wal_position")
    )


def _candidate(
    topology: Topology,
    node: Node,
    lag: int | None,
    view: Mapping[str, Any] | None,
    leading: Mapping[str, Any],
) -> Candidate:
    unfit = _failover_reason(view)
    if unfit or view is None:
        return Candidate(node, lag, unfit)
    behind = _behind_reason(topology, node, view, leading)
    reason = behind or _synchronous_reason(topology, view)
    return Candidate(node, lag, reason, passing=behind is not None)


def _behind_reason(
    topology: Topology, node: Node, view: Mapping[str, Any], leading: Mapping[str, Any]
) -> str | None:
    """Not yet where the leader is; a busy server is there a moment later."""
    if view.get("state") != "streaming":
        return f"it is {view.get('state')}, not streaming"
    if view.get("timeline") != leading.get("timeline"):
        return f"it is on timeline {view.get('timeline')}, the leader on {leading.get('timeline')}"
    lags = leading.get("replicas") or {}
    if node.name not in lags:
        return "it does not stream from the leader"
    return _lag_reason(topology, lags[node.name])


def _lag_reason(topology: Topology, lag: int | None) -> str | None:
    limit = topology.maximum_lag_on_failover
    if lag is None:
        return "its lag is unknown"
    if lag > limit:
        return f"it is {lag} bytes behind, more than patroni_maximum_lag_on_failover ({limit})"
    return None


def _synchronous_reason(topology: Topology, view: Mapping[str, Any]) -> str | None:
    allowed = SYNCHRONOUS_ROLES.get(topology.synchronous_mode)
    if allowed and view.get("role") not in allowed:
        mode = topology.synchronous_mode
        return f"it is no synchronous replica (postgresql_synchronous_mode is {mode})"
    return None


def _failover_reason(view: Mapping[str, Any] | None) -> str | None:
    if view is None:
        return "its minion does not answer"
    if view.get("error"):
        return str(view["error"]).rstrip(".")
    if view.get("role") in LEADER_ROLES:
        return "it says that it leads already"
    if view.get("nofailover"):
        return "it carries the tag nofailover"
    if view.get("state") not in ("running", "streaming", "in archive recovery"):
        return f"its PostgreSQL is {view.get('state')}"
    return None


def _order(candidate: Candidate) -> tuple[float, int]:
    lag = float("inf") if candidate.lag_bytes is None else candidate.lag_bytes
    # Without a leader the lags are old guesses; the most WAL loses least.
    return (0.0, -candidate.position) if candidate.position is not None else (lag, 0)
