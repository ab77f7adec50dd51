"""A deploy waits for an answer of each exporter, and says what it saw instead."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from pgha.errors import TimedOutError
from pgha.node import exporter
from pgha.transport import Endpoint
from tests.support.clusters import topology

CLUSTER = topology(postgresql_exporter_port=9100)
NODE = CLUSTER.nodes[0]


def answering(handler: httpx.MockTransport) -> Endpoint:
    return replace(exporter.endpoint(CLUSTER, NODE), tls=None, transport=handler)


def test_the_declared_port_is_asked_with_the_clusters_ca() -> None:
    found = exporter.endpoint(CLUSTER, NODE)
    assert found.base_url == f"https://{NODE.ip}:9100"
    assert found.tls is not None
    assert found.tls.ca_file == "/etc/pgha/coolify_postgres/ca.crt"


def test_one_that_is_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "INTERVAL_S", 0.001)
    answers = iter([httpx.ConnectError("refused"), 503, 200])

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/-/healthy"
        answer = next(answers)
        if isinstance(answer, httpx.ConnectError):
            raise answer
        return httpx.Response(answer)

    exporter.wait_healthy(answering(httpx.MockTransport(handler)), deadline_s=5)
    assert next(answers, None) is None


def test_one_that_does_not_answer_is_named_with_the_way_to_its_log() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    with pytest.raises(TimedOutError, match=r"app-server-1.lan.*refused.*pgha-logs exporter"):
        exporter.wait_healthy(answering(httpx.MockTransport(refuse)), deadline_s=0)
