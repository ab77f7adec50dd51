"""Controls of the lab: faults, foreign services, the request log."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.contract.loopback import serve, token
from tests.unit.coolify_standin.conftest import Stacks


def test_closed_without_the_option(tmp_path: Path) -> None:
    with serve(tmp_path, faults=False) as server:
        answer = server.client.put("/__lab__/api", json={"enabled": False})
        assert answer.status_code == 404
        assert server.call("GET", "/version").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"), [("429", 429), ("500", 500), ("503", 503), ("html", 200)]
)
def test_next_requests_fail_and_then_no_more(stacks: Stacks, kind: str, status: int) -> None:
    stacks.server.lab("POST", "/faults", {"kind": kind, "count": 2, "path": "/servers"})
    answers = [stacks.server.call("GET", "/servers") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert stacks.server.call("GET", "/version").text == "4.3.11", "another path"
    if kind == "html":
        assert "text/html" in answers[0].headers["Content-Type"]


def test_hang_and_drop(stacks: Stacks) -> None:
    stacks.server.lab("POST", "/faults", {"kind": "drop"})
    with pytest.raises(httpx.HTTPError):
        stacks.server.call("GET", "/version")
    stacks.server.lab("POST", "/faults", {"kind": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        stacks.server.client.get(
            "/api/v1/version", headers={"Authorization": f"Bearer {token('all')}"}, timeout=0.3
        )


def test_unusable_server(stacks: Stacks) -> None:
    stacks.server.lab("PUT", "/servers/h20", {"is_usable": False})
    stacks.server.status_pass()
    row = stacks.server.call("GET", "/servers").json()[0]
    assert (row["is_reachable"], row["is_usable"]) == (True, False)
    detail = stacks.server.call("GET", f"/servers/{stacks.target}").json()
    assert detail["settings"]["is_usable"] is False
    assert "is_usable" not in detail
    stacks.server.lab("PUT", "/servers/h20", {"is_usable": None})
    assert stacks.server.call("GET", "/servers").json()[0]["is_usable"] is True


def test_wrong_fault_is_refused(stacks: Stacks) -> None:
    answer = stacks.server.client.post("/__lab__/faults", json={"kind": "418"})
    assert answer.status_code == 422
    assert "must be one of" in answer.json()["message"]


def test_foreign_services_are_invisible_where_nobody_asks_for_them(stacks: Stacks) -> None:
    uuid = stacks.running()
    stacks.server.lab("POST", "/foreign-services", {"count": 2000})
    production = stacks.server.call("GET", f"/projects/{stacks.project}/production").json()
    assert [item["uuid"] for item in production["services"]] == [uuid]
    assert len(stacks.server.call("GET", "/services").json()) == 2001
    stacks.server.status_pass()
    foreign = stacks.server.call("GET", "/services").json()[-1]
    assert foreign["status"] == "running:healthy"
    stacks.server.lab("DELETE", "/foreign-services")
    assert len(stacks.server.call("GET", "/services").json()) == 1


def test_lookups_use_an_index(stacks: Stacks) -> None:
    """2,000 foreign services may not slow the other endpoints down."""
    queries = [
        "SELECT * FROM services WHERE environment_id = 1 AND deleted_at IS NULL",
        "SELECT * FROM services WHERE server_id = 1 AND deleted_at IS NULL",
        "SELECT * FROM services WHERE uuid = 'x'",
        "SELECT * FROM sub_resources WHERE service_id = 1",
        "SELECT * FROM variables WHERE service_id = 1",
        "SELECT * FROM projects WHERE team_id = 0",
    ]
    for query in queries:
        plan = stacks.server.standin.db.all(f"EXPLAIN QUERY PLAN {query}")
        assert all("SCAN" not in row["detail"] for row in plan), (query, plan)


def test_request_log_has_no_secrets(stacks: Stacks) -> None:
    uuid = stacks.create()
    before = stacks.server.lab("GET", "/requests")["total"]
    stacks.server.call(
        "POST", f"/services/{uuid}/envs?q=verysecret", {"key": "K", "value": "verysecret"}
    )
    stacks.server.call("GET", "/nosuch%20path%0Ax")
    seen = stacks.server.lab("GET", f"/requests?since={before}")
    assert [line.split()[1:4] for line in seen["lines"]] == [
        ["POST", f"/api/v1/services/{uuid}/envs", "201"],
        ["GET", "/api/v1/nosuch?path?x", "404"],
    ]
    assert "verysecret" not in "".join(seen["lines"])
