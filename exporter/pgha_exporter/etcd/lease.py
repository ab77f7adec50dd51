"""What is certain of the leader's lease between two questions for it."""

from __future__ import annotations

from collections.abc import Iterable

from pgha_exporter.etcd.collector import EtcdFacts
from pgha_exporter.source import FRESH_S


def lease_left(reads: Iterable[EtcdFacts], now: float) -> float | None:
    """Seconds that the leader's lease has at least; None without a leader, or when nobody knows.

    Each reading less its age is certain, because nothing but its end shortens a lease. The highest
    is the nearest: whoever was asked before a renewal knows less than who was asked after it.

    Args:
        reads: of members that read with quorum.
        now: monotonic time.
    """
    known = list(reads)
    newest = max(known, key=lambda facts: facts.at, default=None)
    leader = newest.leader if newest else None
    if leader is None:
        return None
    leases = [facts.lease for facts in known if facts.lease and facts.lease.id == leader.lease]
    left = [lease.left - (now - lease.at) for lease in leases if now - lease.at < FRESH_S]
    return max(max(left), 0.0) if left else None
