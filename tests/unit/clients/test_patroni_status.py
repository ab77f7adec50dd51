from __future__ import annotations

import time
from typing import Any

import pytest

from pgha.errors import FailedError, TimedOutError
from pgha.patroni.client import PatroniClient
from pgha.patroni.models import Cluster
from pgha.patroni.status import node_status
from pgha.patroni.waits import not_streaming, wait_leader, wait_streaming
from tests.support.clusters import topology
from tests.unit.clients.servers import Route, closed_port, recorded, serve, silence

T = topology()
NODE_1, NODE_2 = T.node("postgres-node-1"), T.node("postgres-node-2")


def routes(cluster: str = "cluster", own: str = "patroni_replica", **more: Route) -> Any:
    return {"GET /cluster": (200, recorded(cluster)), "GET /patroni": (200, recorded(own)), **more}


def test_a_replica_knows_itself_its_leader_and_all_members() -> None:
    with serve(routes()) as server:
        brief = node_status(T, NODE_2, PatroniClient(server.url))
    assert brief["error"] is None
    assert (brief["node"], brief["role"], brief["state"]) == (
        "postgres-node-2",
        "replica",
        "streaming",
    )
    assert (brief["leader"], brief["timeline"], brief["lag_bytes"]) == ("postgres-node-1", 2, 0)
    assert brief["postgresql_version"] == "15.18"
    assert [line["host"] for line in brief["members"]] == [
        "app-server-1.lan",
        "app-server-2.lan",
        "controller.lan",
    ]


def test_a_replicas_own_word_on_streaming_is_newer_than_etcds() -> None:
    with serve(routes("cluster_replica_not_streaming")) as server:
        brief = node_status(T, NODE_2, PatroniClient(server.url))
    assert brief["state"] == "streaming"
    assert brief["wal_position"] == 83886752
    assert brief["nofailover"] is False


def test_pause_and_the_reason_for_a_restart_are_in_the_brief() -> None:
    with serve(
        routes("cluster_paused_pending_restart", "patroni_leader_pending_restart")
    ) as server:
        brief = node_status(T, NODE_1, PatroniClient(server.url))
    assert brief["paused"]
    assert brief["pending_restart"]
    assert brief["pending_restart_reason"] == {
        "max_connections": {"old_value": "200", "new_value": "150"}
    }


def test_a_hung_postgresql_does_not_hide_the_members_and_is_not_called_running() -> None:
    with serve({**routes(), "GET /patroni": silence}) as server:
        start = time.monotonic()
        brief = node_status(T, NODE_1, PatroniClient(server.url, timeout=0.5, where=NODE_1.host))
        assert time.monotonic() - start < 1.5
    assert brief["state"] == "unknown"
    assert len(brief["members"]) == 3
    assert brief["error"].startswith("Patroni on app-server-1.lan answers but its PostgreSQL does")


def test_a_dead_patroni_gives_one_sentence_and_no_exception() -> None:
    with closed_port() as url:
        brief = node_status(T, NODE_1, PatroniClient(url, where=NODE_1.host))
    assert brief["error"].count("cannot be reached") == 1
    assert (brief["role"], brief["members"], brief["leader"]) == (None, [], None)


def test_a_leader_demoted_while_etcd_still_names_it_is_a_replica() -> None:
    with serve(routes(own="patroni_replica")) as server:
        brief = node_status(T, NODE_1, PatroniClient(server.url))
    assert brief["role"] == "replica"


def test_without_etcd_the_member_still_tells_what_it_is() -> None:
    with serve({"GET /patroni": (200, recorded("patroni_leader"))}) as server:
        brief = node_status(T, NODE_1, PatroniClient(server.url))
    assert (brief["role"], brief["state"]) == ("leader", "running")
    assert "answered 404" in brief["error"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("postgres-node-1", None),
        ("postgres-node-3", None),
        ("postgres-node-2", "postgres-node-2 is running"),
        ("postgres-node-4", "postgres-node-4 has not registered yet"),
    ],
)
def test_why_a_member_does_not_stream(name: str, reason: str | None) -> None:
    cluster = Cluster.from_json(recorded("cluster_replica_not_streaming"))
    assert not_streaming(cluster, name) == reason


def test_streaming_on_an_old_timeline_is_not_streaming() -> None:
    raw = recorded("cluster")
    raw["members"][1]["timeline"] = 1
    assert not_streaming(Cluster.from_json(raw), "postgres-node-2") == (
        "postgres-node-2 is on timeline 1, the leader on 2"
    )


def test_waiting_names_every_member_that_is_behind() -> None:
    with serve(routes("cluster_replica_not_streaming")) as server:
        client = PatroniClient(server.url)
        with pytest.raises(TimedOutError) as caught:
            wait_streaming(T, NODE_1, lambda _: client, 0)
        lines = wait_streaming(T, NODE_1, lambda _: client, 0, ["controller.lan"])
    assert "postgres-node-2 is running; postgres-node-4 has not registered yet" in str(caught.value)
    assert len(lines) == 3


def test_a_leader_in_etcd_that_takes_no_writes_is_no_leader() -> None:
    def primary(status: int) -> Any:
        return routes(**{"GET /primary": (status, {"state": "running"})})

    with serve(primary(503)) as server:
        client = PatroniClient(server.url)
        with pytest.raises(TimedOutError, match="does not accept writes yet"):
            wait_leader(T, NODE_2, lambda _: client, 0)
    with serve(primary(200)) as server:
        client = PatroniClient(server.url)
        assert wait_leader(T, NODE_2, lambda _: client, 0) == "postgres-node-1"


def test_failed_error_is_not_swallowed_by_waiting() -> None:
    def broken(_: object) -> PatroniClient:
        raise FailedError("no")

    with pytest.raises(FailedError):
        wait_leader(T, NODE_2, broken, 5)
