"""Reading recorded answers, with and without `read:sensitive`."""

from __future__ import annotations

import pytest

from pgha.coolify.models import Destination, Environment, Server, Service

RECORDED_SERVICE = {
    "id": 1,
    "uuid": "skrjnsxbijju2yscd60icri6",
    "name": "stack-a",
    "environment_id": 1,
    "server_id": 1,
    "description": "",
    "docker_compose_raw": "services: {}",
    "destination_id": 1,
    "config_hash": None,
    "status": "exited",
    "server": {"id": 1, "uuid": "dzikwkgo7jsqb2igdsszuoty", "name": "h20", "ip": "172.28.0.20"},
    "applications": [{"id": 8, "name": "agent", "status": "exited"}],
    "databases": [{"id": 9, "name": "db", "status": "exited"}],
}


def test_a_recorded_service() -> None:
    service = Service.from_json(RECORDED_SERVICE)
    assert service.server_uuid == "dzikwkgo7jsqb2igdsszuoty"
    assert service.part_names == {"agent", "db"}
    assert [part.kind for part in service.parts or ()] == ["applications", "databases"]
    assert not service.ever_started
    assert service.compose == "services: {}"


def test_a_token_without_read_sensitive_gets_fewer_keys() -> None:
    body = {key: value for key, value in RECORDED_SERVICE.items() if key != "docker_compose_raw"}
    assert Service.from_json(body).compose is None


def test_the_server_may_be_known_by_number_only() -> None:
    body = {key: value for key, value in RECORDED_SERVICE.items() if key != "server"}
    server = Server.from_json({"uuid": "s", "settings": {"server_id": 1}})
    other = Server.from_json({"uuid": "t", "settings": {"server_id": 2}})
    assert Service.from_json(body).runs_on(server)
    assert not Service.from_json(body).runs_on(other)


def test_parts_that_are_not_listed_are_unknown_rather_than_missing() -> None:
    assert Service.from_json({"uuid": "u"}).parts is None


@pytest.mark.parametrize(
    ("status", "starting"),
    [
        ("starting:unhealthy", True),
        ("starting:unknown", False),
        ("running:healthy", False),
        ("exited", False),
    ],
)
def test_only_a_start_job_at_work_counts_as_starting(status: str, starting: bool) -> None:
    assert Service.from_json({"status": status}).starting is starting


def test_compose_text_is_not_in_a_repr() -> None:
    assert "services: {}" not in repr(Service.from_json(RECORDED_SERVICE))


def test_a_single_server_answer_has_its_reachability_in_the_settings() -> None:
    server = Server.from_json({"settings": {"is_reachable": True, "is_usable": False}})
    assert server.reachable
    assert not server.usable
    assert server.nightly_cleanup is None


def test_unknown_and_absent_keys_are_tolerated() -> None:
    assert Environment.from_json({"uuid": "e", "new": 1}).services == ()
    assert Destination.from_json({"uuid": "d"}).network == ""
