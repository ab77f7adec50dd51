"""A converge run against a small Coolify: what is changed, started, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pgha.coolify.client import CoolifyClient
from pgha.coolify.converge import converge
from pgha.coolify.pace import Pace
from pgha.coolify.stacks import Mark
from pgha.coolify.wish import Outcome, wish
from pgha.errors import FailedError, NotFoundError, PghaError
from pgha.topology import Node, Topology
from tests.unit.coolify_client.conftest import compose_of
from tests.unit.coolify_client.fake import (
    Clock,
    FakeCoolify,
    after_doing_it,
    html,
    raises,
    reply,
)

Run = Callable[..., Outcome]
ETCD_1 = "coolify_postgres-postgres-node-1-etcd"


def changed_compose(topology: Topology, node: Node, component: str) -> str:
    document = json.loads(compose_of(topology, node, component))
    document["services"][component]["image"] = "pgha/newer:2"
    return json.dumps(document)


@pytest.fixture
def run(make_client: Callable[..., CoolifyClient], topology: Topology, clock: Clock) -> Run:
    """One run as one Salt job does it: a client of its own."""

    def one(compose: Callable[..., str] = compose_of, **words: Any) -> Outcome:
        pace = Pace(clock=clock, sleep=clock.sleep)
        return converge(make_client(), topology, wish(topology, **words), compose, pace)

    return one


@pytest.fixture
def deployed(run: Run, fake: FakeCoolify) -> FakeCoolify:
    run()
    fake.log.clear()
    return fake


# -- first run --------------------------------------------------------------------------------


def test_the_first_run_creates_everything_and_starts_it(run: Run, fake: FakeCoolify) -> None:
    outcome = run()
    assert len(fake.services) == 16
    assert len(outcome.started) == 16
    assert outcome.changes["project postgresql"] == {"old": None, "new": "postgresql"}
    assert outcome.changes[ETCD_1]["old"] is None
    assert fake.count("POST .*/start") == 16
    assert fake.count("POST .*/restart") == 0
    for row in fake.services:
        mark = Mark.of(row["description"])
        assert mark is not None
        assert not mark.recreate_pending


def test_each_stack_is_created_on_its_nodes_server(run: Run, fake: FakeCoolify) -> None:
    run()
    for row in fake.services:
        assert json.loads(row["docker_compose_raw"])["x-node"] in row["name"]
    assert {row["server"]["ip"] for row in fake.services if "node-3" in row["name"]} == {
        "172.28.0.10"
    }


def test_only_the_named_components_and_nodes_are_touched(run: Run, fake: FakeCoolify) -> None:
    run(components=["etcd", "patroni"], nodes=["app-server-1.lan", "postgres-node-2"])
    assert sorted(row["name"].split("-", 1)[1] for row in fake.services) == [
        "postgres-node-1-etcd",
        "postgres-node-1-patroni",
        "postgres-node-2-etcd",
        "postgres-node-2-patroni",
    ]


def test_a_missing_environment_is_created_in_an_existing_project(
    fake: FakeCoolify, clock: Clock, make_client: Callable[..., CoolifyClient]
) -> None:
    topology = Topology.from_pillar({"coolify_environment": "databases"})
    fake.add_project("postgresql")
    outcome = converge(make_client(), topology, wish(topology, components=["etcd"]), compose_of)
    assert outcome.changes["environment databases"] == {"old": None, "new": "databases"}
    assert len(fake.projects) == 1
    assert {row["environment"] for row in fake.services} == {"databases"}


def test_the_coolify_network_is_chosen_where_there_are_several(run: Run, fake: FakeCoolify) -> None:
    fake.extra_destinations[fake.servers[0]["uuid"]] = ["other"]
    run(components=["etcd"], nodes=["postgres-node-1"])
    assert any(body.get("destination_uuid") == "dst-coolify" for body in fake.bodies)


def test_the_nightly_clean_up_is_switched_off_once(run: Run, fake: FakeCoolify) -> None:
    outcome = run(components=["etcd"])
    assert outcome.changes["nightly clean-up of builder.lan"] == {"old": "on", "new": "off"}
    assert not any(server["settings"]["force_docker_cleanup"] for server in fake.servers)
    assert run(components=["etcd"]).changes == {}
    assert fake.count("PATCH .*/docker-cleanup") == 4


def test_a_coolify_without_the_clean_up_endpoint_gets_advice(run: Run, fake: FakeCoolify) -> None:
    fake.fail("docker-cleanup", lambda _r: reply(404, {"message": "Not found."}), times=4)
    outcome = run(components=["etcd"])
    assert len(outcome.advice) == 4
    assert not any("clean-up" in thing for thing in outcome.changes)


# -- second run -------------------------------------------------------------------------------


def test_a_second_run_changes_nothing_in_four_requests(run: Run, deployed: FakeCoolify) -> None:
    outcome = run()
    assert outcome == Outcome()
    assert len(deployed.log) == 4


def test_foreign_services_do_not_raise_the_number_of_requests(
    run: Run, deployed: FakeCoolify
) -> None:
    for number in range(2000):
        deployed.add_service(f"shop-{number}", deployed.servers[number % 4], "services: {a: {}}")
        deployed.services[-1]["project"] = deployed.projects[0]["uuid"]
    assert run() == Outcome()
    assert len(deployed.log) == 4


# -- starting ---------------------------------------------------------------------------------


def test_only_stacks_that_do_not_run_are_started(run: Run, deployed: FakeCoolify) -> None:
    outcome = run(not_running=[ETCD_1])
    assert outcome.started == [ETCD_1]
    assert outcome.changes == {}
    assert deployed.count("POST .*/start") == 1


def test_a_stale_running_status_is_answered_with_a_restart(run: Run, deployed: FakeCoolify) -> None:
    deployed.named(ETCD_1)[0]["status"] = "running:healthy"
    assert run(not_running=[ETCD_1]).started == [ETCD_1]
    assert deployed.count("POST .*/start") == 1
    assert deployed.count("POST .*/restart") == 1


def test_a_stack_that_coolify_is_starting_is_left_alone(run: Run, deployed: FakeCoolify) -> None:
    deployed.named(ETCD_1)[0]["status"] = "starting:unhealthy"
    outcome = run(not_running=[ETCD_1])
    assert outcome.started == []
    assert outcome.already_starting == [ETCD_1]
    assert deployed.count("POST") == 0


def test_one_failing_start_does_not_keep_the_others_from_starting(
    run: Run, fake: FakeCoolify
) -> None:
    fake.fail("POST .*/start", html(500), times=2)
    with pytest.raises(FailedError, match="start the stack"):
        run(components=["etcd"])
    assert fake.count("POST .*/start") == 4


def test_a_start_is_not_sent_twice(run: Run, deployed: FakeCoolify) -> None:
    deployed.fail("POST .*/start", raises(httpx.ReadTimeout))
    with pytest.raises(FailedError, match="did not answer in time"):
        run(not_running=[ETCD_1])
    assert deployed.count("POST .*/start") == 1


# -- changed compose text -----------------------------------------------------------------------


def test_a_changed_text_is_stored_but_a_running_stack_is_not_touched(
    run: Run, deployed: FakeCoolify
) -> None:
    outcome = run(changed_compose)
    assert len(outcome.changes) == 16
    assert len(outcome.pending_recreate) == 16
    assert outcome.started == outcome.recreated == []
    assert deployed.count("POST") == 0
    assert not any(body.get("instant_deploy") for body in deployed.bodies)
    assert "newer:2" in deployed.named(ETCD_1)[0]["docker_compose_raw"]


def test_what_is_pending_stays_reported_without_being_written_again(
    run: Run, deployed: FakeCoolify
) -> None:
    run(changed_compose)
    deployed.log.clear()
    outcome = run(changed_compose)
    assert outcome.changes == {}
    assert len(outcome.pending_recreate) == 16
    assert len(deployed.log) == 4


def test_with_permission_running_stacks_are_recreated(run: Run, deployed: FakeCoolify) -> None:
    run(changed_compose)
    outcome = run(changed_compose, apply_changes=True, nodes=["postgres-node-1"])
    assert len(outcome.recreated) == 4
    assert outcome.pending_recreate == []
    assert run(changed_compose, nodes=["postgres-node-1"]) == Outcome()
    assert sum(bool(body.get("instant_deploy")) for body in deployed.bodies) == 4


def test_a_recreation_that_fails_stays_pending(run: Run, deployed: FakeCoolify) -> None:
    name = ETCD_1

    def only_recreation(request: httpx.Request) -> httpx.Response | None:
        return reply(500, {"message": "Server Error"}) if b"instant" in request.content else None

    deployed.fail("PATCH", only_recreation, times=2)
    words = {"components": ["etcd"], "nodes": ["postgres-node-1"]}
    with pytest.raises(PghaError):
        run(changed_compose, apply_changes=True, **words)
    assert run(changed_compose, **words).pending_recreate == [name]


def test_a_changed_stack_that_does_not_run_is_stored_and_started(
    run: Run, deployed: FakeCoolify
) -> None:
    words = {"components": ["etcd"], "nodes": ["postgres-node-1"]}
    outcome = run(changed_compose, not_running=[ETCD_1], **words)
    assert outcome.started == [ETCD_1]
    assert outcome.pending_recreate == []
    assert run(changed_compose, **words) == Outcome()


# -- honest test mode -----------------------------------------------------------------------------


@pytest.mark.parametrize("environment", ["production", "databases"])
def test_test_mode_predicts_the_first_run_and_changes_nothing(
    environment: str, fake: FakeCoolify, make_client: Callable[..., CoolifyClient]
) -> None:
    topology = Topology.from_pillar({"coolify_environment": environment})
    foretold = converge(make_client(), topology, wish(topology, test=True), compose_of)
    assert fake.count("POST|PATCH|DELETE") == 0
    assert converge(make_client(), topology, wish(topology), compose_of) == foretold


@pytest.mark.parametrize("apply_changes", [False, True])
def test_test_mode_predicts_a_change(apply_changes: bool, run: Run, deployed: FakeCoolify) -> None:
    words = {"not_running": [ETCD_1], "apply_changes": apply_changes}
    foretold = run(changed_compose, test=True, **words)
    assert deployed.count("POST|PATCH|DELETE") == 0
    assert run(changed_compose, **words) == foretold


# -- exactly one stack of a name ----------------------------------------------------------------

ONE = {"components": ["etcd"], "nodes": ["postgres-node-1"]}


@pytest.mark.parametrize("failure", [html(500), html(504), raises(httpx.ReadTimeout)])
def test_a_stack_that_exists_despite_the_error_is_adopted(
    failure: Callable[[httpx.Request], httpx.Response], run: Run, fake: FakeCoolify
) -> None:
    fake.fail("POST /services$", after_doing_it(fake, failure))
    outcome = run(**ONE)
    assert outcome.started == [ETCD_1]
    assert len(fake.named(ETCD_1)) == 1
    assert fake.count("POST /services$") == 1


def test_a_leftover_that_coolify_did_not_parse_is_stored_again(run: Run, fake: FakeCoolify) -> None:
    def parser_throws(request: httpx.Request) -> httpx.Response:
        fake.answer(request, "/services")
        fake.services[-1]["applications"] = []
        return reply(500, {"message": "Server Error"})

    fake.fail("POST /services$", parser_throws)
    run(**ONE)
    assert fake.count("PATCH /services/") == 1
    assert fake.named(ETCD_1)[0]["applications"][0]["name"] == "etcd"


def test_a_create_that_failed_without_leftover_is_an_error_and_the_next_run_goes_on(
    run: Run, fake: FakeCoolify
) -> None:
    fake.fail("POST /services$", html(500))
    with pytest.raises(PghaError, match="create the stack"):
        run(**ONE)
    assert fake.services == []
    run(**ONE)
    assert len(fake.named(ETCD_1)) == 1


def test_a_create_that_shows_up_late_is_waited_for(
    run: Run, fake: FakeCoolify, clock: Clock
) -> None:
    late: list[httpx.Request] = []

    def swallow(request: httpx.Request) -> httpx.Response:
        late.append(request)
        raise httpx.ReadTimeout("", request=request)

    def arrive(_request: httpx.Request) -> None:
        if clock.now > 1000 and late:
            fake.answer(late.pop(), "/services")

    fake.fail("POST /services$", swallow)
    fake.fail("GET /projects/.+/production", arrive, times=9)
    run(**ONE)
    assert len(fake.named(ETCD_1)) == 1
    assert fake.count("POST /services$") == 1


def test_a_killed_run_is_resumed(run: Run, fake: FakeCoolify) -> None:
    fake.fail("POST /services$", lambda _r: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run()
    run()
    assert len(fake.services) == 16
    assert len({row["name"] for row in fake.services}) == 16
    assert len(fake.projects) == 1


def test_a_never_started_leftover_on_the_wrong_server_is_replaced(
    run: Run, fake: FakeCoolify
) -> None:
    project = fake.add_project("postgresql")
    wrong = fake.add_service(ETCD_1, fake.servers[1], "services: {etcd: {}}", project=project)
    outcome = run(**ONE)
    rows = fake.named(ETCD_1)
    assert len(rows) == 1
    assert rows[0]["uuid"] != wrong["uuid"]
    assert rows[0]["server"]["ip"] == "172.28.0.20"
    assert outcome.started == [ETCD_1]


def test_a_project_that_exists_despite_the_error_is_used(run: Run, fake: FakeCoolify) -> None:
    fake.fail("POST /projects$", after_doing_it(fake, html(502)))
    run(**ONE)
    assert len(fake.projects) == 1


def test_an_environment_that_somebody_else_just_created_is_used(
    fake: FakeCoolify, make_client: Callable[..., CoolifyClient]
) -> None:
    topology = Topology.from_pillar({"coolify_environment": "databases"})
    project = fake.add_project("postgresql")

    def somebody(_request: httpx.Request) -> None:
        fake.environments[project].append("databases")

    fake.fail("POST .*/environments", somebody)
    converge(make_client(), topology, wish(topology, **ONE), compose_of)
    assert fake.environments[project].count("databases") == 1


# -- refusing before anything is touched --------------------------------------------------------


def test_duplicates_and_unfit_servers_stop_the_run_before_any_change(
    run: Run, deployed: FakeCoolify
) -> None:
    original = deployed.named(ETCD_1)[0]
    deployed.services.append({**original, "uuid": "the-second-one"})
    deployed.servers[3]["is_usable"] = False
    with pytest.raises(FailedError) as caught:
        run(changed_compose, not_running=[ETCD_1])
    assert original["uuid"] in str(caught.value)
    assert "the-second-one" in str(caught.value)
    assert "is not usable" in str(caught.value)
    assert deployed.count("POST|PATCH|DELETE") == 0


def test_too_old_a_coolify_stops_the_run(run: Run, fake: FakeCoolify) -> None:
    fake.version = "4.0.0-beta.420"
    with pytest.raises(FailedError, match="update Coolify"):
        run()
    assert fake.count("POST|PATCH|DELETE") == 0


@pytest.mark.parametrize(
    "words",
    [
        {"components": ["etc"]},
        {"nodes": ["postgres-node-9"]},
        {"not_running": ["coolify_postgres-postgres-node-1-etc"]},
    ],
)
def test_words_that_name_nothing_are_refused(words: dict[str, list[str]], run: Run) -> None:
    with pytest.raises(NotFoundError):
        run(**words)
