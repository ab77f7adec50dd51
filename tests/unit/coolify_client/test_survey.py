"""Pre-flight: every problem at once, few requests, nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pgha.coolify.client import CoolifyClient
from pgha.coolify.converge import converge
from pgha.coolify.pace import Pace
from pgha.coolify.survey import survey
from pgha.coolify.wish import wish
from pgha.topology import Topology
from tests.unit.coolify_client.conftest import compose_of
from tests.unit.coolify_client.fake import ALL, Clock, FakeCoolify, html, raises, reply


@pytest.fixture
def found(client: CoolifyClient, topology: Topology, clock: Clock) -> Callable[[], dict[str, Any]]:
    pace = Pace(clock=clock, sleep=clock.sleep)
    return lambda: survey(client, topology, compose_of, pace)


def test_a_fresh_coolify_is_fit_and_nothing_is_changed(
    found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    result = found()
    assert result["problems"] == []
    assert result["advice"] == []
    assert result["version"] == "4.3.11"
    assert result["project_uuid"] is None
    assert result["servers"]["postgres-node-1"]["name"] == "app-server-1.lan"
    assert fake.count("^POST|^DELETE") == 0
    assert fake.services == []


def test_a_deployed_cluster_costs_six_requests_and_is_current(
    found: Callable[[], dict[str, Any]],
    make_client: Callable[..., CoolifyClient],
    fake: FakeCoolify,
    topology: Topology,
) -> None:
    converge(make_client(), topology, wish(topology), compose_of)
    result = found()
    assert result["requests"] == 6
    assert len(result["stacks"]) == 16
    assert all(stack["current"] for stack in result["stacks"].values())
    assert all(stack["uuid"] and stack["hash"] for stack in result["stacks"].values())


@pytest.mark.parametrize("missing", ["read:sensitive", "write", "deploy", "read"])
def test_each_missing_ability_is_found(
    missing: str, found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    fake.abilities = ALL - {missing}
    problems = found()["problems"]
    assert len(problems) == 1
    assert f"lacks the abilities {missing}:" in problems[0]
    assert "state/coolify/token" in problems[0]


def test_missing_abilities_are_one_sentence(
    found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    fake.abilities = frozenset({"read"})
    problems = found()["problems"]
    assert len(problems) == 1
    assert "lacks the abilities read:sensitive, write, deploy:" in problems[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"is_reachable": False}, "is not reachable by SSH"),
        ({"is_usable": False}, "is not usable: press Validate"),
        ({"settings": {"is_build_server": True}}, "is a build server"),
        ({"settings": {"force_disabled": True}}, "is disabled"),
        ({"ip": "10.9.9.9", "name": "elsewhere"}, "has no server for node postgres-node-2"),
        ({"ip": "172.28.0.20"}, "has 2 servers for node postgres-node-1"),
    ],
)
def test_an_unfit_server_is_named(
    change: dict[str, Any],
    sentence: str,
    found: Callable[[], dict[str, Any]],
    fake: FakeCoolify,
) -> None:
    server = fake.servers[1]
    server["settings"].update(change.pop("settings", {}))
    server.update(change)
    problems = found()["problems"]
    assert sentence in problems[0]
    assert "coolify.test" in problems[0]


@pytest.mark.parametrize("what", ["is_reachable", "is_usable"])
def test_a_server_that_came_back_is_looked_at_again(
    what: str, found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    fake.servers[1][what] = False
    fake.validation_takes = 2
    assert found()["problems"] == []
    assert fake.count("^POST .*/validate") == 1
    assert fake.count("^GET /servers$") == 3


def test_a_server_that_stays_away_is_waited_for_within_bounds(
    found: Callable[[], dict[str, Any]], fake: FakeCoolify, clock: Clock
) -> None:
    fake.servers[1]["is_reachable"] = False
    began = clock.now
    assert "is not reachable by SSH" in found()["problems"][0]
    assert clock.now - began == 20
    assert fake.count("^POST .*/validate") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"ip": "host.docker.internal", "name": "controller.lan"},
        {"ip": "controller.lan", "name": "localhost"},
        {"ip": "host.docker.internal", "name": "postgres-node-3"},
    ],
)
def test_a_server_without_the_address_is_matched_by_name(
    change: dict[str, Any], found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    controller = next(row for row in fake.servers if row["name"] == "controller.lan")
    controller.update(change)
    result = found()
    assert result["problems"] == []
    assert result["servers"]["postgres-node-3"]["uuid"] == controller["uuid"]


def test_all_problems_come_at_once(found: Callable[[], dict[str, Any]], fake: FakeCoolify) -> None:
    fake.version = "4.1.2"
    fake.abilities = ALL - {"deploy"}
    fake.servers[0]["is_usable"] = False
    fake.servers[1]["is_reachable"] = False
    problems = found()["problems"]
    assert len(problems) == 4
    assert "4.1.2; 4.2.0 is the oldest that works" in problems[0]


def test_an_old_but_working_version_is_advice(
    found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    fake.version = "4.2.0"
    result = found()
    assert result["problems"] == []
    assert "4.3.3 or newer is recommended" in result["advice"][0]


def test_two_projects_of_our_name_are_named(
    found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    uuids = [fake.add_project("postgresql"), fake.add_project("postgresql")]
    problems = found()["problems"]
    assert len(problems) == 1
    assert " and ".join(uuids) in problems[0]


def test_destinations_without_the_coolify_network_are_a_problem(
    found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    server = fake.servers[0]
    fake.fail(
        f"{server['uuid']}/destinations",
        lambda _r: reply(200, [{"uuid": "a", "name": "a", "network": "a"}, {"name": "b"}]),
    )
    assert "2 destinations" in found()["problems"][0]


def test_a_server_without_destination_is_a_problem(
    found: Callable[[], dict[str, Any]], fake: FakeCoolify
) -> None:
    fake.fail("destinations", lambda _r: reply(200, []))
    assert "has no destination" in found()["problems"][0]


@pytest.mark.parametrize(
    "failure",
    [
        raises(httpx.ConnectError),
        raises(httpx.ReadTimeout),
        html(500),
        html(200),
        lambda _r: reply(401, {"message": "Unauthenticated."}),
        lambda _r: reply(403, {"success": True, "message": "API is disabled."}),
        lambda _r: httpx.Response(429, headers={"Retry-After": "900"}),
    ],
)
def test_a_coolify_that_does_not_answer_is_one_sentence_and_the_end(
    failure: Callable[[httpx.Request], httpx.Response],
    found: Callable[[], dict[str, Any]],
    fake: FakeCoolify,
) -> None:
    fake.fail("version", failure, times=3)
    result = found()
    assert len(result["problems"]) == 1
    assert result["stacks"] == {}
    assert fake.count("version") == len(fake.log)
