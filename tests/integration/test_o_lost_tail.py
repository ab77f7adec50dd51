"""A leader dies with WAL that it never sent: nobody is behind what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.test_n_exporter import Values, of, wait_for
from tests.integration.test_r_alerts import killed
from tests.support.lab import Lab, eventually

pytestmark = pytest.mark.fault

TAIL = 300_000
"""Bytes; less than maximum_lag_on_failover, so that a replica takes over."""
BEHIND_S = 3.0


def test_replicas_are_not_behind_what_a_dead_leader_never_sent(cluster: Lab) -> None:
    cluster.until_healthy()
    old = cluster.leader()
    observer = next(server for server in cluster.servers if server != old)
    with nothing_sent_by(cluster, old):
        query(cluster, old, f"SELECT pg_logical_emit_message(true, 'lost', repeat('x', {TAIL}))")
        lost = position(cluster, old)
        wait_for(cluster, observer, "the replicas to be behind", is_somebody_behind)
        with killed(cluster, old, "patroni"):
            new = eventually(lambda: other_leader(cluster, old), deadline_s=90, what="a new leader")
            wait_for(
                cluster, observer, "the others not to be behind",
                lambda found: is_nobody_behind(found, besides=name_of(cluster, old)),
            )  # fmt: skip
            assert position(cluster, new) < lost, "the new leader has passed what is lost: no proof"
    cluster.until_healthy()
    wait_for(cluster, observer, "the old leader to have joined", is_nobody_behind)


@contextmanager
def nothing_sent_by(lab: Lab, leader: str) -> Iterator[None]:
    """Its senders frozen for the block; they are gone when it dies."""
    senders = "^postgres: .*walsender"
    lab.check(leader, "pkill", "-STOP", "-f", senders)
    try:
        yield
    finally:
        lab.run(leader, "pkill", "-CONT", "-f", senders)


def position(lab: Lab, leader: str) -> int:
    return int(query(lab, leader, "SELECT pg_current_wal_lsn() - '0/0'"))


def query(lab: Lab, server: str, sql: str) -> str:
    return lab.check(server, "psql", "-XAtq", "-d", "postgres", "-c", sql)


def other_leader(lab: Lab, old: str) -> str | None:
    name = lab.status()["leader"]
    found = {node["name"]: str(node["host"]) for node in lab.nodes()}.get(name)
    return found if found != old else None


def is_somebody_behind(found: Values) -> bool:
    return any(seconds > BEHIND_S for seconds in lags(found))


def is_nobody_behind(found: Values, besides: str = "") -> bool:
    seen = lags(found, besides)
    return len(seen) >= 3 and all(seconds < BEHIND_S for seconds in seen)


def lags(found: Values, besides: str = "") -> list[float]:
    metric = "pgha_member_lag_seconds"
    return [
        seconds for key, seconds in found.items()
        if key.startswith(metric) and key != of(metric, besides)
    ]  # fmt: skip


def name_of(lab: Lab, server: str) -> str:
    return next(str(node["name"]) for node in lab.nodes() if node["host"] == server)
