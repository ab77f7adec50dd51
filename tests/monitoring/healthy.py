"""What the exporters of a healthy cluster of four would publish, made from the catalogue.

Every metric of the catalogue is there with every label; values are those of a cluster that is well.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pgha_exporter import names as n

SCOPE = "demo"
MEMBERS = ("n0", "n1", "n2", "n3")
LEADER = "n0"
CONTROLLER = "n2"
VOTERS = MEMBERS[:3]

Labels = dict[str, str]
Value = float | Callable[["Node", Labels], float]


@dataclass(frozen=True)
class Node:
    """One node; ``now`` is the time of the scrape in Unix seconds."""

    member: str
    now: float

    @property
    def leads(self) -> bool:
        return self.member == LEADER


DOMAINS: dict[str, tuple[str, ...]] = {
    "etcd_member": MEMBERS,
    "slot": MEMBERS[1:],
    "use": ("patroni", "served-5434"),
    "version": ("1.0",),
    "python": ("3.13",),
    "patroni_version": ("4.1.5",),
    "postgres_version": ("16.14",),
    "system_identifier": ("7000000000000000001",),
    "dcs_hash": ("aaaa",),
    "hba_hash": ("bbbb",),
    "settings_hash": ("cccc",),
}

STATES: dict[str, Callable[[Node], str]] = {
    n.ROLE.name: lambda node: "leader" if node.leads else "replica",
    n.POSTGRES_STATE.name: lambda node: "running",
    n.SLOT_WAL_STATUS.name: lambda node: "reserved",
}

ABSENT: dict[str, Callable[[Node, Labels], bool]] = {
    n.WAL_RECEIVER_STREAMING.name: lambda node, labels: node.leads,
    n.WAL_RECEIVER_LAST_MESSAGE.name: lambda node, labels: node.leads,
    n.REPLAY_PAUSED.name: lambda node, labels: node.leads,
    n.WAL_POSITION.name: lambda node, labels: (labels["position"] == "current") != node.leads,
    n.SLOT_SAFE_WAL.name: lambda node, labels: True,
    n.FAILOVER_BLOCKED.name: lambda node, labels: labels["member"] == LEADER,
    n.BACKUP_LAST_SUCCESS.name: lambda node, labels: node.member != CONTROLLER,
    n.BACKUP_LAST_VERIFIED.name: lambda node, labels: node.member != CONTROLLER,
}


def _ago(seconds: float) -> Callable[[Node, Labels], float]:
    return lambda node, labels: node.now - seconds


VALUES: dict[str, Value] = {
    n.SOURCE_UP.name: 1,
    n.SOURCE_LAST_SUCCESS.name: _ago(1),
    n.SOURCE_DURATION.name: 0.004,
    n.POSTGRES_UP.name: 1,
    n.POSTGRES_WRITABLE.name: lambda node, labels: node.leads,
    n.POSTGRES_IN_RECOVERY.name: lambda node, labels: not node.leads,
    n.POSTGRES_START.name: _ago(86_400),
    n.POSTGRES_TIMELINE.name: 3,
    n.POSTGRES_CONNECTIONS.name: 12,
    n.POSTGRES_MAX_CONNECTIONS.name: 100,
    n.LEADER_LOCK_HELD.name: lambda node, labels: node.leads,
    n.WAL_POSITION.name: lambda node, labels: 5e9 + 1e5 * (node.now % 1e5),
    n.WAL_RECEIVER_STREAMING.name: 1,
    n.WAL_RECEIVER_LAST_MESSAGE.name: _ago(2),
    n.SLOT_ACTIVE.name: 1,
    n.SLOT_RETAINED.name: 4096,
    n.WAL_DIRECTORY.name: 1e9,
    n.ARCHIVE_LAST_SUCCESS.name: _ago(30),
    n.CLUSTER_MEMBERS.name: 4,
    n.CLUSTER_MEMBERS_EXPECTED.name: 4,
    n.CLUSTER_HAS_LEADER.name: 1,
    n.CLUSTER_TIMELINE.name: 3,
    n.CLUSTER_TTL.name: 30,
    n.CLUSTER_LOOP_WAIT.name: 10,
    n.CLUSTER_RETRY_TIMEOUT.name: 10,
    n.CLUSTER_MAXIMUM_LAG.name: 1_048_576,
    n.FAILOVER_CANDIDATES.name: 3,
    n.LAST_LEADER_CHANGE.name: lambda node, labels: (
        node.now - 90_000 if labels["cause"] == "switchover" else 0
    ),
    n.LEADER_LEASE_REMAINING.name: lambda node, labels: 30 - node.now % 10,
    n.ETCD_HAS_QUORUM.name: 1,
    n.ETCD_VOTERS.name: 3,
    n.ETCD_HEALTHY_VOTERS.name: 3,
    n.ETCD_FAILURE_TOLERANCE.name: 1,
    n.ETCD_MEMBER_UP.name: 1,
    n.ETCD_MEMBER_IS_LEADER.name: lambda node, labels: labels["etcd_member"] == "n1",
    n.ETCD_MEMBER_IS_LEARNER.name: lambda node, labels: labels["etcd_member"] not in VOTERS,
    n.ETCD_DB_SIZE.name: 1e6,
    n.ETCD_DB_IN_USE.name: 5e5,
    n.ETCD_DB_QUOTA.name: 2**31,
    n.FILESYSTEM_AVAIL.name: 60e9,
    n.FILESYSTEM_SIZE.name: 100e9,
    n.CERTIFICATE_NOT_AFTER.name: lambda node, labels: node.now + 300 * 86_400,
    n.ROUTE_OK.name: 1,
    n.ROUTE_DURATION.name: 0.01,
    n.BACKUP_LAST_SUCCESS.name: _ago(3600),
    n.BACKUP_LAST_VERIFIED.name: _ago(86_400),
}
"""Everything else is 0."""


def exposition(member: str) -> str:
    """The answer of a node's exporter at this moment, in the text format."""
    node = Node(member, time.time())
    lines = [line for metric in n.METRICS.values() for line in _lines(node, metric)]
    return "\n".join(lines) + "\n"


def _lines(node: Node, metric: n.Metric) -> Iterator[str]:
    for labels in _label_sets(node, metric):
        if metric.kind == "histogram":
            yield from _histogram(node, metric, labels)
        elif not (metric.name in ABSENT and ABSENT[metric.name](node, labels)):
            yield _sample(metric.name, labels, _value(node, metric, labels))


def _label_sets(node: Node, metric: n.Metric) -> Iterator[Labels]:
    domains = [_domain(node, metric, label) for label in metric.all_labels]
    for combination in itertools.product(*domains):
        yield dict(zip(metric.all_labels, combination, strict=True))


def _domain(node: Node, metric: n.Metric, label: str) -> tuple[str, ...]:
    if label == n.SCOPE:
        return (SCOPE,)
    if label == "member":
        return (node.member,) if metric.view == "own" else MEMBERS
    found = metric.values.get(label) or DOMAINS[label]
    if label == "source" and node.member != CONTROLLER:
        return tuple(source for source in found if source != "backup")
    return found


def _value(node: Node, metric: n.Metric, labels: Labels) -> float:
    if metric.kind == "info":
        return 1
    if metric.kind == "stateset":
        state = labels[metric.labels[-1]]
        return float(STATES[metric.name](node) == state)
    value = VALUES.get(metric.name, 0)
    return float(value(node, labels) if callable(value) else value)


def _histogram(node: Node, metric: n.Metric, labels: Labels) -> Iterator[str]:
    count = float(int(node.now) % 100_000)
    for bound in (*map(str, n.ETCD_BUCKETS), "+Inf"):
        full = bound == "+Inf" or float(bound) >= 0.01
        yield _sample(f"{metric.name}_bucket", {**labels, "le": bound}, count if full else 0)
    yield _sample(f"{metric.name}_sum", labels, count * 0.005)
    yield _sample(f"{metric.name}_count", labels, count)


def _sample(name: str, labels: Labels, value: float) -> str:
    text = ",".join(f'{label}="{found}"' for label, found in labels.items())
    return f"{name}{{{text}}} {value!r}"
