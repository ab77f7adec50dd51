"""Which members could be promoted at this moment, and what keeps the others: Patroni's own rules.

Source of the rules: patroni/ha.py of 4.1 (``is_failover_possible``, ``_is_healthiest_node``,
``is_lagging``, ``fetch_node_status``): a candidate answers on its REST API, is not tagged
``nofailover``, has no failed watchdog, runs, is in the synchronous set when there is one, lags by
at most maximum_lag_on_failover, and is on the cluster's timeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pgha_exporter.names import BLOCKED_REASONS
from pgha_exporter.patroni.model import Cluster, Config, Member, Own

RUNNING = ("running", "streaming", "in archive recovery")
SYNC_ROLES = ("sync_standby", "quorum_standby")


@dataclass(frozen=True)
class Verdict:
    """``blocked`` has every member but the leader, with its reasons; empty for a candidate."""

    blocked: Mapping[str, frozenset[str]]

    @property
    def candidates(self) -> int:
        return sum(1 for reasons in self.blocked.values() if not reasons)


def judge(
    cluster: Cluster, config: Config | None, owns: Mapping[str, Own | None], last_lsn: int | None
) -> Verdict:
    """Judge every member but the leader.

    Args:
        owns: ``/patroni`` of each member at this moment; None for one that did not answer.
        last_lsn: position of the leader in bytes, None when unknown: lag then blocks nobody,
            as in Patroni.
    """
    blocked = {
        member.name: frozenset(_reasons(member, cluster, config, owns.get(member.name), last_lsn))
        for member in cluster.members
        if not member.leads
    }
    assert all(reasons <= set(BLOCKED_REASONS) for reasons in blocked.values())
    return Verdict(blocked)


def _reasons(
    member: Member,
    cluster: Cluster,
    config: Config | None,
    own: Own | None,
    last_lsn: int | None,
) -> list[str]:
    reasons = []
    if _is_excluded(member, own):
        reasons.append("nofailover")
    if member.state not in RUNNING:
        reasons.append("state")
    if config and config.synchronous_mode != "off" and member.role not in SYNC_ROLES:
        reasons.append("not_sync")
    if own is None:
        return [*reasons, "unreachable"]
    if own.state != "running" and "state" not in reasons:
        reasons.append("state")
    if own.watchdog_failed:
        reasons.append("watchdog")
    return [*reasons, *_behind(own, cluster, config, last_lsn)]


def _is_excluded(member: Member, own: Own | None) -> bool:
    tags = member.tags
    by_tag = tags.get("nofailover") is True or str(tags.get("failover_priority", "")) == "0"
    return by_tag or bool(own and own.nofailover)


def _behind(own: Own, cluster: Cluster, config: Config | None, last_lsn: int | None) -> list[str]:
    reasons = []
    allowed = config.maximum_lag if config else 1048576
    position = own.position
    if last_lsn is not None and (position is None or last_lsn - position > allowed):
        reasons.append("lag")
    timeline = cluster.leader.timeline if cluster.leader else None
    if own.timeline is not None and timeline is not None and own.timeline < timeline:
        # Patroni itself looks at this only with check_timeline; without it, such a member could be
        # promoted and lose what came after its own timeline, which is no failover to count on.
        reasons.append("timeline")
    return reasons
