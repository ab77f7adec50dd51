"""Metrics of the cluster as this node sees it."""

from __future__ import annotations

from pgha_exporter import names
from pgha_exporter.changes import ChangeCounts
from pgha_exporter.facts import Facts
from pgha_exporter.failover import SYNC_ROLES
from pgha_exporter.lag import WalHistory
from pgha_exporter.patroni.model import Cluster, Config, Member
from pgha_exporter.samples import Samples

POLL_SKEW_S = 1.5
"""Positions of two members are compared when they were asked for within this time."""


def publish(samples: Samples, facts: Facts, history: WalHistory, expected: int | None) -> None:
    """The cluster's members, settings, lag and failover candidates."""
    samples.add(names.CLUSTER_HAS_LEADER, facts.leader is not None)
    samples.add(names.CLUSTER_MEMBERS_EXPECTED, expected)
    if facts.patroni is None:
        return
    cluster, config = facts.patroni.cluster, facts.patroni.config
    _members(samples, cluster)
    if config:
        _config(samples, config)
        _sync(samples, cluster, config)
    for member in cluster.members:
        _lag(samples, facts, member, history)
    _candidates(samples, facts, history)


def changes(samples: Samples, counts: ChangeCounts, told: float, started_at: float) -> None:
    """Changes of the leader.

    ``told`` is the last line of Patroni's history, Unix time like ``started_at``. It counts when it
    is older than the exporter, or when the exporter saw no change although there was one: a leader
    that lost its power and leads again begins a new timeline.
    """
    unseen = told if told < started_at or not any(counts.last.values()) else 0.0
    for cause in names.CAUSES:
        at = counts.last[cause]
        samples.add(names.LEADER_CHANGES, counts.by_cause[cause], cause)
        at = max(at, unseen) if cause == "unknown" else at
        samples.add(names.LAST_LEADER_CHANGE, at, cause)
    samples.add(names.LEADERLESS, counts.leaderless)


def _members(samples: Samples, cluster: Cluster) -> None:
    samples.add(names.CLUSTER_MEMBERS, len(cluster.members))
    samples.add(names.CLUSTER_PAUSED, cluster.paused)
    samples.add(names.SCHEDULED_SWITCHOVER, cluster.scheduled_switchover)
    leader = cluster.leader
    samples.add(names.CLUSTER_TIMELINE, leader.timeline if leader else None)
    for member in cluster.members:
        samples.add(names.MEMBER_PENDING_RESTART, member.pending_restart, member.name)


def _config(samples: Samples, config: Config) -> None:
    samples.add(names.CLUSTER_STANDBY, config.standby_cluster)
    samples.add(names.CLUSTER_TTL, config.ttl)
    samples.add(names.CLUSTER_LOOP_WAIT, config.loop_wait)
    samples.add(names.CLUSTER_RETRY_TIMEOUT, config.retry_timeout)
    samples.add(names.CLUSTER_MAXIMUM_LAG, config.maximum_lag)


def _sync(samples: Samples, cluster: Cluster, config: Config) -> None:
    streaming = [m for m in cluster.members if m.role in SYNC_ROLES and m.state == "streaming"]
    required = config.synchronous_nodes if config.synchronous_mode != "off" else 0
    samples.add(names.SYNC_STANDBYS, len(streaming))
    samples.add(names.SYNC_STANDBYS_REQUIRED, required)


def _lag(samples: Samples, facts: Facts, member: Member, history: WalHistory) -> None:
    receive, replay = lag_bytes(facts, member)
    samples.add(names.MEMBER_LAG_BYTES, receive, member.name, "receive")
    samples.add(names.MEMBER_LAG_BYTES, replay, member.name, "replay")
    samples.add(names.MEMBER_LAG_SECONDS, lag_seconds(facts, member, history), member.name)


def lag_bytes(facts: Facts, member: Member) -> tuple[int | None, int | None]:
    """(receive, replay) lag: from what leader and member said at the same time, else Patroni's.

    Patroni's own figures compare positions that each member wrote to etcd in its own loop.
    """
    if member.leads:
        return 0, 0
    leader, seen = facts.leader_position, facts.polled.get(member.name)
    if leader is None or seen is None or abs(leader[1] - seen.at) > POLL_SKEW_S:
        return member.receive_lag, member.replay_lag
    own = seen.own
    received = own.received if own.received is not None else own.replayed
    return _behind(leader[0], received), _behind(leader[0], own.replayed)


def lag_seconds(facts: Facts, member: Member, history: WalHistory) -> float | None:
    """Seconds; goes on growing for a member that does not answer any more."""
    if member.leads:
        return 0.0
    known = facts.positions.get(member.name)
    if known is None:
        return None
    replayed, at = known
    silent = member.name not in facts.polled
    return history.seconds_behind(replayed, at, facts.now if silent else None)


def _candidates(samples: Samples, facts: Facts, history: WalHistory) -> None:
    verdict = facts.verdict(history.newest)
    assert verdict is not None
    samples.add(names.FAILOVER_CANDIDATES, verdict.candidates)
    for member, reasons in verdict.blocked.items():
        for reason in names.BLOCKED_REASONS:
            samples.add(names.FAILOVER_BLOCKED, reason in reasons, member, reason)


def _behind(leader: int, position: int | None) -> int | None:
    return None if position is None else max(leader - position, 0)
