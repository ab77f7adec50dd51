"""What is wrong with the cluster as this node sees it, in sentences for people."""

from __future__ import annotations

from pgha_exporter.exporter import Collection
from pgha_exporter.facts import Facts
from pgha_exporter.publish.etcd import tolerance


def verdict(collection: Collection) -> list[str]:
    """What is wrong as this node sees it, as sentences; empty when nothing is."""
    facts = collection.facts
    problems = []
    if facts.postgres is None:
        problems.append("PostgreSQL on this node does not answer.")
    elif facts.postgres.writable and facts.leader != facts.member:
        problems.append("PostgreSQL accepts writes here although this node is not the leader.")
    if facts.leader is None:
        problems.append("The cluster has no leader.")
    problems += _cluster_problems(facts)
    problems += _etcd_problems(facts)
    for name, route in (facts.routes or {}).items():
        if not route.ok:
            problems.append(f"The route {name} does not work: {route.failure}.")
    for name, status in collection.statuses.items():
        if not status.up and name != "postgres" and status.failure:
            problems.append(f"The source {name} does not answer: {status.failure}.")
    return problems


def _cluster_problems(facts: Facts) -> list[str]:
    judged = facts.verdict(None)
    if facts.patroni is None or judged is None:
        return []
    problems = []
    if facts.patroni.cluster.paused:
        problems.append("Automatic failover is switched off (paused).")
    if judged.blocked and not judged.candidates:
        problems.append("No replica could be promoted at this moment.")
    return problems


def _etcd_problems(facts: Facts) -> list[str]:
    if not facts.etcd:
        return []
    if not facts.has_quorum:
        return ["etcd cannot be read with quorum from this node."]
    voters, healthy = tolerance(facts)
    lost = healthy - (voters // 2 + 1)
    if voters >= 3 and lost <= 0:
        return [f"etcd has {healthy} of {voters} voters: one more loss stops it."]
    return []
