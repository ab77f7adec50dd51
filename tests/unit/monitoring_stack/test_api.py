"""What Prometheus says about itself, and what an operator reads when it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pgha.errors import RefusedError, UnreachableError
from pgha.prometheus import api

URL = "http://127.0.0.1:9090"
ANSWERS = {
    "targets": {
        "activeTargets": [
            {"labels": {"instance": "h0", "scope": "demo"}, "health": "up", "lastError": ""},
            {
                "labels": {"instance": "h1", "scope": "demo"},
                "health": "down",
                "lastError": "connection refused",
            },
            {"labels": {"instance": "h2", "scope": "demo"}, "health": "unknown", "lastError": ""},
        ]
    },
    "rules": {
        "groups": [
            {"rules": [{"name": "B", "state": "firing"}, {"name": "A", "state": "firing"}]},
            {"rules": [{"name": "C", "state": "inactive"}, {"name": "recorded:bool"}]},
        ]
    },
    "alertmanagers": {"activeAlertmanagers": [{"url": "x"}]},
}


def asked(
    handler: Callable[[httpx.Request], httpx.Response], scope: str = "demo"
) -> dict[str, Any]:
    return api.status(URL, scope, httpx.Client(transport=httpx.MockTransport(handler)))


def answer(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"data": ANSWERS[request.url.path.rsplit("/")[-1]]})


def test_the_prometheus_of_another_cluster_proves_nothing() -> None:
    with pytest.raises(RefusedError, match="does not watch billing"):
        asked(answer, "billing")


def test_targets_rules_and_alerts_are_told() -> None:
    assert asked(answer) == {
        "targets": {"h0": "up", "h1": "connection refused", "h2": "unknown"},
        "rules": 4,
        "alerts": ["A", "B"],
        "alertmanagers": 1,
    }


def test_a_prometheus_that_starts_is_not_reachable_yet() -> None:
    with pytest.raises(UnreachableError, match="is starting"):
        asked(lambda _request: httpx.Response(503))


def test_a_prometheus_that_is_not_there_is_named_with_what_to_look_at() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9090.*docker ps"):
        asked(refuse)


@pytest.mark.parametrize("body", ["<html>", "[]", '{"status": "x"}'])
def test_something_else_on_the_port_is_said_so(body: str) -> None:
    with pytest.raises(RefusedError, match="what else listens"):
        asked(lambda _request: httpx.Response(200, text=body))


@pytest.mark.parametrize("code", [404, 503])
def test_an_alertmanager_that_is_not_ready_is_named(code: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/-/ready"
        return httpx.Response(code)

    with pytest.raises(UnreachableError, match=f"Alertmanager at {URL} is not ready.*{code}"):
        api.require_ready(URL, httpx.Client(transport=httpx.MockTransport(answer)))


def test_one_that_is_ready_is_left_alone() -> None:
    ready = httpx.MockTransport(lambda _request: httpx.Response(200))
    api.require_ready(URL, httpx.Client(transport=ready))
