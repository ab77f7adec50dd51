"""Metrics of etcd as this node sees it."""

from __future__ import annotations

from pgha.voters import quorum_of
from pgha_exporter import names
from pgha_exporter.etcd.collector import Durations, EtcdFacts
from pgha_exporter.etcd.lease import lease_left
from pgha_exporter.facts import Facts
from pgha_exporter.samples import Samples


def publish(samples: Samples, facts: Facts, durations: Durations, quota: int) -> None:
    """Nothing when no etcd is configured."""
    if not facts.etcd:
        return
    samples.add(names.ETCD_HAS_QUORUM, facts.has_quorum)
    samples.add(names.LEADER_LEASE_REMAINING, lease_left(facts.quorum_reads, facts.now))
    _quorum(samples, facts)
    for url, answer in facts.etcd.items():
        _member(samples, name_of(facts, url), answer, quota)
    for operation in names.ETCD_OPERATIONS:
        buckets, total = durations.buckets(operation)
        samples.histogram(names.ETCD_REQUEST_DURATION, buckets, total, operation)


def name_of(facts: Facts, url: str) -> str:
    """The member's own name, found by its address; its address while no member tells."""
    for peer in facts.etcd_members:
        if peer.name and url.rstrip("/") in (address.rstrip("/") for address in peer.client_urls):
            return peer.name
    return url.split("://", 1)[-1].rstrip("/")


def tolerance(facts: Facts) -> tuple[int, int]:
    """(voters, healthy voters). A voter is healthy when a read with quorum went through it."""
    healthy = len(facts.quorum_reads)
    members = facts.etcd_members
    voters = sum(1 for peer in members if not peer.is_learner)
    return voters or len(facts.etcd), healthy


def _quorum(samples: Samples, facts: Facts) -> None:
    voters, healthy = tolerance(facts)
    samples.add(names.ETCD_VOTERS, voters)
    samples.add(names.ETCD_HEALTHY_VOTERS, healthy)
    samples.add(names.ETCD_FAILURE_TOLERANCE, healthy - quorum_of(voters))


def _member(samples: Samples, name: str, answer: EtcdFacts | None, quota: int) -> None:
    samples.add(names.ETCD_MEMBER_UP, answer is not None, name)
    if answer is None:
        return
    status = answer.status
    leads = bool(status.leader_id) and status.leader_id == status.member_id
    samples.add(names.ETCD_MEMBER_IS_LEADER, leads, name)
    samples.add(names.ETCD_MEMBER_IS_LEARNER, status.is_learner, name)
    samples.add(names.ETCD_DB_SIZE, status.db_size, name)
    # Zero is what an etcd says that does not know the figure (before 3.4).
    samples.add(names.ETCD_DB_IN_USE, status.db_in_use or None, name)
    samples.add(names.ETCD_DB_QUOTA, status.db_quota or quota, name)
    lag = max(status.raft_index - status.raft_applied, 0)
    samples.add(names.ETCD_RAFT_APPLIED_LAG, lag, name)
    raised = " ".join(status.errors).lower()
    for alarm in names.ALARMS:
        samples.add(names.ETCD_ALARM, alarm in raised, name, alarm)
