"""Facts of a healthy cluster of three, and servers that answer with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pgha_exporter.etcd.collector import EtcdFacts
from pgha_exporter.etcd.model import Lease, MemberStatus, Peer, Value
from pgha_exporter.facts import Facts, Seen
from pgha_exporter.patroni.model import Own, PatroniFacts
from pgha_exporter.patroni.parse import parse_cluster, parse_config, parse_own
from pgha_exporter.postgres import PostgresFacts, Slot, Slow
from tests.unit.clients.servers import FakeServer, Route, recorded, serve

NAMES = tuple(f"postgres-node-{number}" for number in (1, 2, 3))
NOW = 1000.0


def own(**changes: Any) -> Own:
    return dataclasses.replace(parse_own(recorded("patroni_replica")), **changes)


def leader_own(**changes: Any) -> Own:
    return dataclasses.replace(parse_own(recorded("patroni_leader")), **changes)


def patroni_facts(cluster: str = "cluster") -> PatroniFacts:
    return PatroniFacts(
        parse_cluster(recorded(cluster)), parse_config(recorded("config")), 1_795_000_000.0
    )


def postgres_facts(**changes: Any) -> PostgresFacts:
    replica = PostgresFacts(
        in_recovery=True,
        read_only=True,
        timeline=2,
        current=None,
        received=83886752,
        replayed=83886752,
        replay_paused=False,
        started_at=1_795_000_000.0,
        version="16.14",
        system_identifier="7711299776119716426",
        connections=7,
        max_connections=200,
        streaming=True,
        last_message=1_795_000_100.0,
        slots=(Slot("postgres_node_3", False, 512.0, 1e9, "reserved", 0.0),),
        slots_omitted=0,
        archived_at=1_795_000_000.0,
        archive_failed_at=0.0,
        slow=Slow(16777216.0, 0, "5e77", "4ba0"),
    )
    return dataclasses.replace(replica, **changes)


def etcd_facts(number: int, leader: str | None = NAMES[0], **changes: Any) -> EtcdFacts:
    status = MemberStatus(number, 1, False, 4096, 2048, 0, 90, 90, (), "3.5.16")
    peers = tuple(Peer(i, f"e{i}", False, (url(i),)) for i in (1, 2, 3))
    key = Value("/service/coolify_postgres/leader", leader, 77) if leader else None
    return dataclasses.replace(
        EtcdFacts(status, True, "", key, Lease(77, 25.0, NOW), peers, NOW), **changes
    )


def url(number: int) -> str:
    return f"http://127.0.0.1:{number}"


def healthy(**changes: Any) -> Facts:
    """As the replica postgres-node-2 sees it."""
    polled = {
        NAMES[0]: Seen(leader_own(), NOW - 2),
        NAMES[1]: Seen(own(), NOW - 2),
        NAMES[2]: Seen(own(), NOW - 2),
    }
    facts = Facts(
        member=NAMES[1],
        now=NOW,
        patroni=patroni_facts(),
        postgres=postgres_facts(),
        polled=polled,
        positions=dict.fromkeys(NAMES[1:], (83886752, NOW - 2)),
        etcd={url(number): etcd_facts(number) for number in (1, 2, 3)},
    )
    return dataclasses.replace(facts, **changes)


@contextmanager
def fake_patroni(
    own_name: str = "patroni_replica", routes: Mapping[str, Route] | None = None
) -> Iterator[FakeServer]:
    """One Patroni that every member's address leads to: no test talks to a real cluster."""
    cluster = recorded("cluster")
    answers: dict[str, Route] = {
        "GET /cluster": (200, cluster),
        "GET /patroni": (200, recorded(own_name)),
        "GET /config": (200, recorded("config")),
        "GET /history": (200, recorded("history")),
        **(routes or {}),
    }
    with serve(answers) as server:
        for member in cluster["members"]:
            member["api_url"] = f"{server.url}/patroni"
        yield server


def until(check: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Poll a condition; True when it came to hold."""
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.005)
    return check()
