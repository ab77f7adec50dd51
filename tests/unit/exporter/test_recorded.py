"""What the oldest and the newest supported Patroni and etcd really said (recorded/*.json).

Recorded by the clusters of tests/compat after two switchovers, so the timeline is 3.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pgha_exporter.etcd import parse, wire
from pgha_exporter.etcd.model import Peer
from pgha_exporter.patroni.parse import (
    parse_cluster,
    parse_config,
    parse_history,
    parse_own,
    unix_time,
)

RECORDED = Path(__file__).parent / "recorded"
ETCD_ID = 13195394291058371180


def load(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


@pytest.fixture(params=["3.3", "4.1"])
def said(request: pytest.FixtureRequest) -> Any:
    return load(f"patroni-{request.param}")


def test_patroni_names_leader_and_replica(said: Any) -> None:
    cluster = parse_cluster(said["cluster"])
    assert [(m.name, m.role, m.state, m.timeline) for m in cluster.members] == [
        ("node1", "leader", "running", 3),
        ("node2", "replica", "streaming", 3),
    ]
    assert cluster.members[1].receive_lag == 0
    assert cluster.members[1].api_url == "http://127.0.0.1:8009"


def test_a_primary_is_one_whatever_its_patroni_calls_it(said: Any) -> None:
    leader, replica = parse_own(said["leader"]), parse_own(said["replica"])
    assert leader.is_primary
    assert not replica.is_primary
    assert leader.location == replica.received == replica.replayed
    assert replica.replication_state == "streaming"
    assert leader.system_identifier == replica.system_identifier


def test_what_is_not_configured_has_patronis_defaults(said: Any) -> None:
    config = parse_config(said["config"])
    assert (config.ttl, config.loop_wait, config.retry_timeout) == (20, 2, 5)
    assert (config.maximum_lag, config.synchronous_mode) == (1048576, "off")


def test_the_history_tells_the_last_change(said: Any) -> None:
    assert parse_history(said["history"]) == unix_time(said["history"][-1][3]) > 0


@pytest.mark.parametrize(("version", "full"), [("3.4", "3.4.23"), ("3.5", "3.5.16")])
def test_etcd_says_the_same_both_ways(version: str, full: str) -> None:
    recorded = load(f"etcd-{version}")
    fields = {name: wire.read(base64.b64decode(raw)) for name, raw in recorded["grpc"].items()}
    gateway = recorded["gateway"]
    over_grpc, over_http = parse.status(fields["status"]), parse.json_status(gateway["status"])
    assert over_grpc == over_http
    assert (over_grpc.version, over_grpc.member_id) == (full, ETCD_ID)
    assert over_grpc.leader_id == ETCD_ID
    assert 0 < over_grpc.db_in_use <= over_grpc.db_size
    assert over_grpc.raft_applied == over_grpc.raft_index
    (peer,) = parse.members(fields["members"])
    assert peer == Peer(ETCD_ID, "etcd1", False, ("http://127.0.0.1:2379",))
    assert parse.json_members(gateway["members"]) == (peer,)
    (value,) = parse.json_values(gateway["leader"])
    assert (value.key, value.value) == ("/service/main/leader", "node1")
    assert value.lease > 0
