from __future__ import annotations

import base64

import pytest

from pgha.errors import ConflictError, RefusedError, UnexpectedAnswerError
from pgha.patroni.client import PatroniClient
from pgha.patroni.models import Cluster, HistoryLine, MemberStatus
from tests.unit.clients.servers import recorded, serve


def test_members_roles_timelines_and_lag_of_a_healthy_cluster() -> None:
    cluster = Cluster.from_json(recorded("cluster"))
    assert cluster.leader is not None
    assert cluster.leader.name == "postgres-node-1"
    assert [(m.role, m.state, m.timeline, m.lag_bytes) for m in cluster.members] == [
        ("leader", "running", 2, None),
        ("replica", "streaming", 2, 0),
        ("replica", "streaming", 2, 0),
    ]


def test_a_replica_that_does_not_stream_keeps_its_state_and_lag() -> None:
    member = Cluster.from_json(recorded("cluster_replica_not_streaming")).member("postgres-node-2")
    assert member is not None
    assert (member.state, member.timeline, member.lag_bytes) == ("running", 1, 280)


def test_unknown_lag_is_none_and_not_zero() -> None:
    raw = {"name": "a", "role": "replica", "state": "running", "lag": "unknown"}
    cluster = Cluster.from_json({"members": [raw]})
    assert cluster.members[0].lag_bytes is None


def test_pause_and_pending_restart_are_seen() -> None:
    cluster = Cluster.from_json(recorded("cluster_paused_pending_restart"))
    assert cluster.paused
    assert all(member.pending_restart for member in cluster.members)


def test_the_member_tells_versions_start_time_and_why_it_must_restart() -> None:
    own = MemberStatus.from_json(recorded("patroni_leader_pending_restart"))
    assert (own.role, own.server_version, own.patroni_version) == ("primary", "15.18", "4.1.5")
    assert own.pending_restart_reason == {
        "max_connections": {"old_value": "200", "new_value": "150"}
    }
    assert own.postmaster_start_time


def test_history_lines_with_and_without_the_new_leader() -> None:
    (line,) = (HistoryLine.from_json(raw) for raw in recorded("history"))
    assert (line.timeline, line.new_leader) == (1, "postgres-node-1")
    assert HistoryLine.from_json([1, 7, "why"]) == HistoryLine(1, 7, "why")


def test_reads_go_without_trouble_and_changes_carry_the_password() -> None:
    routes = {"GET /config": (200, {"ttl": 30}), "PATCH /config": (200, {"ttl": 20})}
    with serve(routes) as server:
        client = PatroniClient(server.url, None, "patroni", "s3cret")
        assert client.config() == {"ttl": 30}
        assert client.patch_config({"ttl": 20}) == {"ttl": 20}
    method, _, body, authorization = server.requests[-1]
    assert (method, body) == ("PATCH", {"ttl": 20})
    assert authorization == "Basic " + base64.b64encode(b"patroni:s3cret").decode()


def test_primary_is_a_question_with_two_answers() -> None:
    for status, expected in ((200, True), (503, False)):
        with serve({"GET /primary": (status, {"state": "running"})}) as server:
            assert PatroniClient(server.url).is_primary() is expected


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (401, RefusedError, "the REST password here is not Patroni's"),
        (403, RefusedError, "the REST password here is not Patroni's"),
        (409, ConflictError, "another change came between"),
        (503, RefusedError, "no cluster configuration in etcd yet"),
        (500, RefusedError, "answered 500 to PATCH /config"),
    ],
)
def test_every_no_has_its_meaning(status: int, error: type[Exception], sentence: str) -> None:
    with serve({"PATCH /config": (status, "no")}) as server:
        client = PatroniClient(server.url, None, "patroni", "s3cret", where="a.lan")
        with pytest.raises(error, match=sentence) as caught:
            client.patch_config({"ttl": 20})
    assert "Patroni on a.lan" in str(caught.value)
    assert "s3cret" not in str(caught.value) + repr(client)
    assert len(server.requests) == 1  # a change is never sent twice


def test_something_else_on_the_port_is_not_taken_for_patroni() -> None:
    with (
        serve({"GET /cluster": (200, {"hello": "world"})}) as server,
        pytest.raises(UnexpectedAnswerError, match="something that Patroni never says"),
    ):
        PatroniClient(server.url).cluster()


def test_a_hand_over_is_asked_for_with_the_password_and_refused_with_patronis_words() -> None:
    refused = (412, "switchover is not possible: no good candidates have been found")
    routes = {"POST /switchover": (200, "Successfully switched over"), "POST /failover": refused}
    with serve(routes) as server:
        client = PatroniClient(server.url, username="patroni", password="secret")
        assert "Successfully" in client.switchover("a", "b", 5)
        with pytest.raises(RefusedError, match=r"412 to POST /failover: .*no good candidates"):
            client.failover("b", 5)
    assert server.asked("POST") == [{"leader": "a", "candidate": "b"}, {"candidate": "b"}]
    assert all(authorization for *_, authorization in server.requests)


def test_that_patroni_does_not_know_yet_is_no_refusal() -> None:
    with serve({"POST /failover": (503, "Failover status unknown")}) as server:
        assert "unknown" in PatroniClient(server.url).failover("b", 5)
    with (
        serve({"POST /failover": (503, "Failover failed")}) as server,
        pytest.raises(RefusedError, match="Failover failed"),
    ):
        PatroniClient(server.url).failover("b", 5)
