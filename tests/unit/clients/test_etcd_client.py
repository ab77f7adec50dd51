from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgha.errors import (
    ConflictError,
    NotFoundError,
    RefusedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from pgha.etcd.client import EtcdClient
from pgha.etcd.errors import LearnerError, NoQuorumError, NotYetError
from pgha.etcd.models import Status
from pgha.wait import Pending, poll
from tests.unit.clients.etcd_gateway import HEADER
from tests.unit.clients.servers import hung_server, serve


@pytest.mark.parametrize(
    ("status", "message", "error", "sentence"),
    [
        (503, "etcdserver: request timed out", NoQuorumError, "start the voters that are down"),
        (503, "etcdserver: unhealthy cluster", NotYetError, "wait until all are up"),
        (503, "etcdserver: rpc not supported for learner", LearnerError, "ask a voter"),
        (400, "etcdserver: member ID already exist", ConflictError, "etcdctl member list"),
        (404, "etcdserver: member not found", NotFoundError, "has no such member"),
        (
            400,
            "etcdserver: too many learner members in cluster",
            RefusedError,
            "experimental-max-learners",
        ),
        (500, "something new", RefusedError, "answered 500: something new"),
    ],
)
def test_every_no_has_its_meaning(
    status: int, message: str, error: type[Exception], sentence: str
) -> None:
    routes = {"POST /v3/kv/range": (status, {"code": 14, "message": message})}
    with serve(routes) as server, pytest.raises(error, match=sentence) as caught:
        EtcdClient(server.url, where="a.lan").check_quorum()
    assert str(caught.value).startswith(f"etcd on a.lan ({server.url}) ")


def test_a_frozen_member_costs_no_more_than_the_bound() -> None:
    with hung_server() as url:
        start = time.monotonic()
        with pytest.raises(UnreachableError, match="see `pgha-logs etcd` there"):
            EtcdClient(url, timeout=0.5, where="a.lan").check_quorum()
        assert time.monotonic() - start < 1.5


def test_something_else_on_the_port_is_not_taken_for_etcd() -> None:
    routes = {"POST /v3/kv/range": (200, {"hello": "world"})}
    with (
        serve(routes) as server,
        pytest.raises(UnexpectedAnswerError, match="something that etcd never says"),
    ):
        EtcdClient(server.url).check_quorum()


def test_ids_are_written_as_etcdctl_writes_them_and_sent_as_the_gateway_wants_them() -> None:
    listed = {"header": HEADER, "members": [{"ID": "13668033151171901709", "name": "a"}]}
    routes = {
        "POST /v3/cluster/member/list": (200, listed),
        "POST /v3/cluster/member/remove": (200, listed),
    }
    with serve(routes) as server:
        client = EtcdClient(server.url)
        (member,) = client.members()
        client.member_remove(member.id)
    assert member.id == format(13668033151171901709, "x")
    assert server.requests[-1][2] == {"ID": "13668033151171901709"}
    assert server.requests[0][2] == {"linearizable": True}


def test_without_leader_the_status_says_so() -> None:
    status = Status.from_json({"header": HEADER, "version": "3.5.16", "raftIndex": "9"})
    assert (status.leader_id, status.is_leader, status.learner) == (None, False, False)


def test_an_empty_prefix_is_refused_because_it_would_mean_everything() -> None:
    with pytest.raises(ValueError, match="every key"):
        EtcdClient("http://127.0.0.1:1").delete_prefix("")


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdClient]:
    """A real etcd with one member on free ports."""
    binary = shutil.which("etcd")
    if binary is None:
        pytest.skip("etcd is not installed here; the lab's etcd is asked by the integration tests")
    client, peer = _free_ports(2)
    log = (tmp_path / "etcd.log").open("wb")
    process = subprocess.Popen(
        [
            binary,
            f"--data-dir={tmp_path / 'data'}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        ],
        stdout=log,
        stderr=log,
    )
    asked = EtcdClient(f"http://127.0.0.1:{client}")
    try:
        poll(lambda: _answers(asked), deadline_s=20, interval_s=0.1, what="etcd")
        yield asked
    finally:
        process.kill()
        process.wait()
        log.close()


def test_a_real_etcd_takes_a_learner_and_lets_it_go(etcd: EtcdClient) -> None:
    etcd.check_quorum()
    assert etcd.status().is_leader
    added = etcd.member_add(["http://127.0.0.1:1"], learner=True)
    assert added in etcd.members()
    assert (added.name, added.learner) == ("", True)
    with pytest.raises(ConflictError):
        etcd.member_add(["http://127.0.0.1:1"], learner=True)
    etcd.member_remove(added.id)
    assert [member.name for member in etcd.members()] == ["default"]
    with pytest.raises(NotFoundError):
        etcd.member_remove("7b")


def test_a_real_etcd_lists_and_deletes_by_prefix(etcd: EtcdClient) -> None:
    for key in ("/service/a/leader", "/service/a/config", "/service/b/leader"):
        etcd._post("kv/put", {"key": _b64(key), "value": _b64("v")})
    assert etcd.range_prefix("/service/a/") == {"/service/a/config": "v", "/service/a/leader": "v"}
    assert etcd.delete_prefix("/service/a/") == 2
    assert list(etcd.range_prefix("/service/")) == ["/service/b/leader"]


def _answers(client: EtcdClient) -> bool | Pending:
    client.check_quorum()
    return True


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
