"""Finding the tagged services with few requests, and giving them the hostname."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from pgha.coolify.client import CoolifyClient
from pgha.coolify.clients_of import ClientOutcome, tag_clients
from pgha.coolify.converge import converge
from pgha.coolify.wish import wish
from pgha.errors import NotFoundError
from pgha.topology import Topology
from tests.unit.coolify_client.conftest import compose_of
from tests.unit.coolify_client.fake import ALL, FakeCoolify

USES_IT = (
    "services:\n  web:\n    image: shop:1\n    environment:\n"
    "      DSN: postgres://u@db.postgres.host.uk.com/shop\n"
)
PLAIN = "services:\n  web:\n    image: shop:1\n"
ENTRY = "db.postgres.host.uk.com:172.28.0.20"
Run = Callable[..., ClientOutcome]


@pytest.fixture
def run(make_client: Callable[..., CoolifyClient], topology: Topology) -> Run:
    return lambda **words: tag_clients(make_client(), topology, **words)


def add(fake: FakeCoolify, name: str, compose: str, *tags: str, **more: Any) -> dict[str, Any]:
    row = fake.add_service(name, fake.servers[0], compose, **more)
    fake.tags[row["uuid"]] = list(tags)
    return row


def hosts(row: dict[str, Any]) -> Any:
    return yaml.safe_load(row["docker_compose_raw"])["services"]["web"].get("extra_hosts")


def test_without_the_tag_one_request_is_all(run: Run, fake: FakeCoolify) -> None:
    add(fake, "shop", USES_IT, "blue")
    assert run() == ClientOutcome()
    assert fake.log == ["GET /tags"]


def test_a_tagged_service_gets_its_own_servers_address(run: Run, fake: FakeCoolify) -> None:
    row = add(fake, "shop", USES_IT, "postgresql", status="running:healthy")
    outcome = run()
    key = f"shop ({row['uuid']})"
    assert hosts(row) == [ENTRY]
    assert outcome.changes == {key: {"old": None, "new": f"extra_hosts {ENTRY}"}}
    assert outcome.redeploy_needed == [key]
    assert fake.count("restart|start") == 0


def test_once_done_two_requests_are_all(run: Run, fake: FakeCoolify) -> None:
    add(fake, "shop", USES_IT, "postgresql")
    run()
    fake.log.clear()
    assert run() == ClientOutcome()
    assert fake.log == ["GET /tags", "GET /services"]


def test_services_that_do_not_look_like_clients_cost_nothing(run: Run, fake: FakeCoolify) -> None:
    add(fake, "shop", USES_IT, "postgresql")
    for number in range(2000):
        add(fake, f"other-{number}", PLAIN)
    run()
    assert fake.log.count("GET /services") == 1
    assert fake.count("/tags") == 2


def test_a_description_makes_a_candidate_but_only_the_tag_makes_a_client(
    run: Run, fake: FakeCoolify
) -> None:
    tagged = add(fake, "one", PLAIN, "postgresql", description="uses PostgreSQL")
    untagged = add(fake, "two", PLAIN, description="migrated away from postgresql")
    run()
    assert hosts(tagged) == [ENTRY]
    assert hosts(untagged) is None


def test_a_service_that_mentions_the_host_without_the_tag_is_left_alone(
    run: Run, fake: FakeCoolify
) -> None:
    add(fake, "other", PLAIN, "postgresql")
    row = add(fake, "shop", USES_IT)
    assert run() == ClientOutcome()
    assert hosts(row) is None


@pytest.mark.parametrize("by", ["name", "uuid"])
def test_named_services_need_no_tag(by: str, run: Run, fake: FakeCoolify) -> None:
    row = add(fake, "shop", PLAIN)
    run(named=[row[by]])
    assert hosts(row) == [ENTRY]
    assert fake.count("GET /services/.*/tags") == 0


def test_a_named_service_that_does_not_exist_is_an_error(run: Run, fake: FakeCoolify) -> None:
    add(fake, "shop", PLAIN)
    with pytest.raises(NotFoundError, match="postgresql_client_services names shopp"):
        run(named=["shopp"])


def test_services_on_other_servers_are_not_ours(run: Run, fake: FakeCoolify) -> None:
    elsewhere = fake.add_server("elsewhere", "10.9.9.9")
    row = fake.add_service("shop", elsewhere, USES_IT)
    fake.tags[row["uuid"]] = ["postgresql"]
    assert run() == ClientOutcome()


def test_our_own_stacks_are_no_clients(
    run: Run, fake: FakeCoolify, client: CoolifyClient, topology: Topology
) -> None:
    converge(client, topology, wish(topology), compose_of)
    add(fake, "shop", PLAIN, "postgresql")
    before = [row["docker_compose_raw"] for row in fake.services]
    run()
    assert [row["docker_compose_raw"] for row in fake.services] == before


@pytest.mark.parametrize(
    ("status", "restarts"), [("running:healthy", 1), ("degraded:unhealthy", 1), ("exited", 0)]
)
def test_only_what_runs_is_restarted_on_request(
    status: str, restarts: int, run: Run, fake: FakeCoolify
) -> None:
    add(fake, "shop", USES_IT, "postgresql", status=status)
    outcome = run(restart=True)
    assert fake.count("POST .*/restart") == restarts
    assert len(outcome.restarted) == restarts
    assert len(outcome.redeploy_needed) == 1 - restarts


@pytest.mark.parametrize("restart", [False, True])
def test_test_mode_tells_the_same_and_changes_nothing(
    restart: bool, run: Run, fake: FakeCoolify
) -> None:
    add(fake, "shop", USES_IT, "postgresql", status="running:healthy")
    foretold = run(test=True, restart=restart)
    assert fake.count("PATCH|POST") == 0
    assert run(restart=restart) == foretold


def test_what_cannot_be_edited_is_reported_and_the_rest_goes_on(
    run: Run, fake: FakeCoolify
) -> None:
    odd = "services:\n  web: &w\n    image: db.postgres.host.uk.com\n  b: *w\n"
    add(fake, "odd", odd, "postgresql")
    row = add(fake, "shop", USES_IT, "postgresql")
    outcome = run()
    assert hosts(row) == [ENTRY]
    assert len(outcome.skipped) == 1
    assert "odd" in outcome.skipped[0]
    assert ENTRY in outcome.skipped[0]


def test_a_token_that_hides_compose_texts_is_said_to(run: Run, fake: FakeCoolify) -> None:
    fake.abilities = ALL - {"read:sensitive"}
    add(fake, "shop", PLAIN, "postgresql", description="postgresql")
    outcome = run()
    assert "read:sensitive" in outcome.skipped[0]
    assert outcome.changes == {}
