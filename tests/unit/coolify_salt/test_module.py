"""The verbs an operator types, against a small Coolify."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from pgha.coolify.client import CoolifyClient
from tests.support.verbs import files_of, verbs_of
from tests.unit.coolify_client.fake import SENTINEL, TOKEN, URL, FakeCoolify, html

coolify = verbs_of("coolify")
PILLAR = {"coolify_url": URL, "pgha": {"coolify_token": TOKEN}}
ETCD_1 = "coolify_postgres-postgres-node-1-etcd"
COMPOSE = '{"services": {"web": {"image": "x"}}}'


@pytest.fixture
def given() -> dict[str, Any]:
    """The minion's pillar; tests change it."""
    return dict(PILLAR)


@pytest.fixture
def configure_loader_modules(given: dict[str, Any]) -> dict[Any, Any]:
    dunders = {"__pillar__": given, "__grains__": {"id": "controller.lan"}}
    return dict.fromkeys(files_of("coolify"), dunders)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCoolify]:
    fake = FakeCoolify()
    for name, last in (
        ("app-server-1", 20),
        ("app-server-2", 21),
        ("controller", 10),
        ("builder", 30),
    ):
        fake.add_server(f"{name}.lan", f"172.28.0.{last}")
    client = functools.partial(
        CoolifyClient, transport=fake.transport(), sleep=lambda _seconds: None
    )
    monkeypatch.setattr("pgha_minion.coolify.CoolifyClient", client)
    return fake


def test_version_and_servers() -> None:
    assert coolify.version() == "4.3.11"
    assert coolify.servers()[0]["ip"] == "172.28.0.20"
    assert SENTINEL not in str(coolify.servers())


def test_survey_then_converge_then_nothing(fake: FakeCoolify) -> None:
    assert coolify.survey()["problems"] == []
    first = coolify.converge()
    assert len(first["started"]) == 16
    second = coolify.converge()
    assert second["changes"] == {}
    assert second["started"] == []
    assert second["requests"] == 4
    assert all(stack["current"] for stack in coolify.survey()["stacks"].values())


def test_converge_takes_words_separated_by_commas(fake: FakeCoolify) -> None:
    outcome = coolify.converge(components="etcd,router", nodes="builder.lan", test=True)
    assert sorted(outcome["started"]) == [
        "coolify_postgres-postgres-node-4-etcd",
        "coolify_postgres-postgres-node-4-router",
    ]
    assert fake.services == []


def test_the_clean_up_of_every_server_is_switched_off_once(fake: FakeCoolify) -> None:
    planned = coolify.cleanup_disable_all(test=True)
    assert all(server["nightly_cleanup"] for server in coolify.servers())
    done = coolify.cleanup_disable_all()
    assert planned["changes"] == done["changes"]
    assert len(done["changes"]) == 4
    assert not any(server["nightly_cleanup"] for server in coolify.servers())
    again = coolify.cleanup_disable_all()
    assert (again["changes"], again["requests"]) == ({}, 1)


def test_stack_status_lists_the_clusters_stacks_in_two_requests(fake: FakeCoolify) -> None:
    coolify.converge(components=["etcd"])
    fake.log.clear()
    stacks = coolify.stack_status()
    assert sorted(stacks)[0] == ETCD_1
    assert stacks[ETCD_1]["containers"] == ["etcd"]
    assert stacks[ETCD_1]["server"] == "app-server-1.lan"
    assert len(fake.log) == 2


def test_live_asks_for_containers_that_run_now(fake: FakeCoolify) -> None:
    coolify.converge(components=["router"], nodes=["postgres-node-1"])
    name = "coolify_postgres-postgres-node-1-router"
    uuid = fake.named(name)[0]["uuid"]
    fake.live = {f"{uuid}/app-haproxy"}
    assert coolify.stack_status(name, live=True)["live"] == {"haproxy": True, "pgbouncer": False}


def test_services_show_no_compose_text(fake: FakeCoolify) -> None:
    project = fake.add_project("postgresql")
    fake.add_service("shop", fake.servers[0], "services: {a: {secret: 1}}", project=project)
    assert [row["name"] for row in coolify.services()] == ["shop"]
    assert "secret" not in str(coolify.services())
    assert coolify.services("staging") == []


def test_a_service_lives_and_dies(fake: FakeCoolify) -> None:
    assert coolify.services() == []
    assert coolify.service_put("web", "builder.lan", COMPOSE)["changes"]["web"]["old"] is None
    assert coolify.service_put("web", "builder.lan", COMPOSE)["changes"] == {}
    assert coolify.stack_status("web")["server"] == "builder.lan"
    assert coolify.service_start("web") is True
    assert coolify.service_stop("web") is False
    assert coolify.service_restart("web") is True
    assert coolify.service_delete("web") is True
    assert coolify.service_delete("web") is False
    assert fake.count("POST .*/start") == 1


def test_the_command_line_may_have_parsed_the_compose_text(fake: FakeCoolify) -> None:
    coolify.service_put("web", "builder.lan", {"services": {"web": {"image": "x"}}})
    assert coolify.service_put("web", "builder.lan", COMPOSE)["changes"] == {}


def test_an_unknown_service_or_server_says_what_to_do() -> None:
    with pytest.raises(CommandExecutionError, match="no service web in project postgresql"):
        coolify.service_start("web")
    with pytest.raises(CommandExecutionError, match=r"it knows app-server-1.lan \(172.28.0.20\)"):
        coolify.service_put("web", "nowhere", COMPOSE)


def test_projects_and_environments(fake: FakeCoolify) -> None:
    assert coolify.project() is None
    assert coolify.environment() is None
    with pytest.raises(CommandExecutionError, match="create it first"):
        coolify.environment_create("staging")
    uuid = coolify.project_create()
    assert coolify.project_create() == uuid
    assert coolify.project() == {"uuid": uuid, "name": "postgresql"}
    coolify.environment_create("staging")
    coolify.environment_create("staging")
    assert coolify.environment("staging")["services"] == 0
    assert fake.environments[uuid] == ["production", "staging"]
    assert coolify.project("other") is None
    coolify.project_create("other")
    assert coolify.project("other")["name"] == "other"


def test_the_nightly_clean_up(fake: FakeCoolify) -> None:
    assert coolify.cleanup("builder.lan") is True
    coolify.cleanup_disable("172.28.0.30")
    assert coolify.cleanup("builder.lan") is False
    assert coolify.cleanup("app-server-1.lan") is True


def test_client_services_of_the_pillar_are_given_the_hostname(
    fake: FakeCoolify, given: dict[str, Any]
) -> None:
    fake.add_service("shop", fake.servers[1], "services:\n  web:\n    image: x\n")
    given["postgresql_client_services"] = ["shop"]
    outcome = coolify.tag_clients()
    assert next(iter(outcome["changes"].values()))["new"].endswith(":172.28.0.21")
    assert "Redeploy" in outcome["comments"][0]
    assert coolify.tag_clients()["changes"] == {}


def test_errors_are_one_sentence_without_the_token(
    fake: FakeCoolify, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.fail("GET", html(500), times=3)
    with pytest.raises(CommandExecutionError) as caught:
        coolify.version()
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value) + caplog.text
    assert SENTINEL not in str(caught.value) + caplog.text


def test_a_minion_without_token_says_where_it_belongs(given: dict[str, Any]) -> None:
    given["pgha"] = {}
    with pytest.raises(CommandExecutionError, match="state/coolify/token on the master"):
        coolify.version()


def test_a_wrong_pillar_is_reported_before_coolify_is_asked(
    fake: FakeCoolify, given: dict[str, Any]
) -> None:
    given["postgresql_version"] = 9
    with pytest.raises(CommandExecutionError, match="postgresql_version"):
        coolify.converge()
    assert fake.log == []


@pytest.mark.parametrize("file", files_of("coolify"))
def test_a_missing_package_is_named(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file.__virtual__() == "coolify"
    monkeypatch.setattr(file, "MISSING", "httpx")
    assert file.__virtual__() == (
        False,
        "Python package httpx is missing; install requirements/salt.txt",
    )


def test_stacks_are_stopped_together_and_those_believed_stopped_are_left_out(
    fake: FakeCoolify,
) -> None:
    assert coolify.stop_stacks("router") == []  # nothing was ever deployed
    coolify.converge(components=["router", "patroni"])
    for row in fake.services:
        row["status"] = "running:healthy"
    patroni = "coolify_postgres-postgres-node-4-patroni"
    fake.named(patroni)[0]["status"] = "exited"
    stopped = coolify.stop_stacks(["router", "patroni"], nodes="builder.lan,postgres-node-1")
    assert sorted(stopped) == [
        "coolify_postgres-postgres-node-1-patroni",
        "coolify_postgres-postgres-node-1-router",
        "coolify_postgres-postgres-node-4-router",
    ]
    with pytest.raises(CommandExecutionError, match="'etdc' is not a stack"):
        coolify.stop_stacks("etdc")
