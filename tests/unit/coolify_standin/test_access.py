"""Who may do what, limits, and what is hidden (contract 1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.loopback import serve, token
from tests.unit.coolify_standin.conftest import Stacks


@pytest.mark.parametrize(
    ("who", "method", "path", "message"),
    [
        ("write", "GET", "/services", "Missing required permissions: read"),
        ("deploy", "GET", "/services", "Missing required permissions: read"),
        ("readsens", "POST", "/projects", "Missing required permissions: write"),
        ("write", "POST", "/services/x/start", "Missing required permissions: deploy"),
        ("read", "GET", "/services/x/start", "Missing required permissions: deploy"),
        ("member_write", "GET", "/services", "Missing required team role."),
    ],
)
def test_abilities_do_not_imply_each_other(
    stacks: Stacks, who: str, method: str, path: str, message: str
) -> None:
    answer = stacks.server.call(method, path, who=who)
    assert (answer.status_code, answer.json()) == (403, {"message": message})


@pytest.mark.parametrize("who", ["", "expired"])
def test_no_or_expired_token(stacks: Stacks, who: str) -> None:
    answer = stacks.server.call("GET", "/version", who=who)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthenticated."})


def test_wrong_secret_of_a_known_token(stacks: Stacks) -> None:
    headers = {"Authorization": f"Bearer {token('root')[:-1]}x"}
    assert stacks.server.client.get("/api/v1/version", headers=headers).status_code == 401


def test_sensitive_keys_are_absent_not_null(stacks: Stacks) -> None:
    uuid = stacks.create()
    stacks.server.call("POST", f"/services/{uuid}/envs", {"key": "K", "value": "v"})
    for who, present in (("readsens", True), ("root", True), ("read", False)):
        body = stacks.server.call("GET", f"/services/{uuid}", who=who).json()
        envs = stacks.server.call("GET", f"/services/{uuid}/envs", who=who).json()
        path = f"/projects/{stacks.project}/production"
        listed = stacks.server.call("GET", path, who=who).json()["services"][0]
        for item, key in (
            (body, "docker_compose_raw"),
            (listed, "docker_compose"),
            (envs[0], "value"),
        ):
            assert (key in item) is present, (who, key)


def test_another_team_sees_nothing(stacks: Stacks) -> None:
    uuid = stacks.create()
    assert stacks.server.call("GET", f"/services/{uuid}", who="team2_root").status_code == 404
    assert stacks.server.call("GET", "/services", who="team2_root").json() == []


def test_rate_limit_counts_per_user_and_resets(tmp_path: Path) -> None:
    with serve(tmp_path, rate_limit=3) as server:
        left = [
            server.call("GET", "/version", who=who).headers["X-RateLimit-Remaining"]
            for who in ("root", "read", "all")
        ]
        assert left == ["2", "1", "0"]
        refused = server.call("GET", "/version")
        assert (refused.status_code, refused.json()) == (429, {"message": "Too Many Attempts."})
        assert refused.text.startswith("{\n    "), "pretty-printed by the framework"
        assert refused.headers["Retry-After"] == "60"
        assert server.call("GET", "/version", who="member_read").status_code == 200
        server.clock.advance(60)
        assert server.call("GET", "/version").status_code == 200


def test_api_switched_off(stacks: Stacks) -> None:
    assert stacks.server.call("POST", "/disable", who="write").status_code == 200
    refused = stacks.server.call("GET", "/version")
    assert refused.status_code == 403
    assert refused.json() == {"success": True, "message": "API is disabled."}
    assert stacks.server.call("GET", "/nosuch").status_code == 404
    assert stacks.server.client.get("/api/health").text == "OK"
    assert stacks.server.call("POST", "/enable", who="write").status_code == 200


def test_two_destinations_need_a_choice(stacks: Stacks) -> None:
    standin = stacks.server.standin
    standin.db.insert(
        "destinations",
        {
            "uuid": "d2",
            "server_id": 1,
            "name": "d2",
            "network": "n2",
            "created_at": 0,
            "updated_at": 0,
        },
    )
    call = stacks.server.call
    assert call("POST", "/services", stacks.body()).status_code == 400
    assert call("POST", "/services", stacks.body(destination_uuid="x")).status_code == 422
    assert call("POST", "/services", stacks.body(destination_uuid="d2")).status_code == 201


def test_tokens_are_not_stored_in_plain(stacks: Stacks) -> None:
    folder = stacks.server.standin.settings.data_dir
    secret = token("root").partition("|")[2].encode()
    assert all(secret not in path.read_bytes() for path in folder.iterdir() if path.is_file())
