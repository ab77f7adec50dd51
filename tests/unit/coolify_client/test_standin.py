"""The client against the whole stand-in over HTTP on loopback; only its servers are imaginary."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lab.coolify.app import create_app
from lab.coolify.hosts.base import Completed
from lab.coolify.settings import Settings, parse_seed
from lab.coolify.standin import Standin
from pgha.coolify.cleanup import switch_off_everywhere
from pgha.coolify.client import CoolifyClient
from pgha.coolify.clients_of import tag_clients
from pgha.coolify.converge import converge
from pgha.coolify.pace import Pace
from pgha.coolify.retry import RetryPolicy
from pgha.coolify.survey import survey
from pgha.coolify.wish import Outcome, wish
from pgha.errors import PghaError
from pgha.render.compose import stack_compose
from pgha.topology import Topology
from tests.support.asgi import serving

SECRET = "x" * 40
TOKENS = {
    "deployer": ("2", ["read", "read:sensitive", "write", "deploy"]),
    "reader": ("3", ["read"]),
    "plain": ("4", ["read", "write", "deploy"]),
}
ETCD_1 = "coolify_postgres-postgres-node-1-etcd"
Connect = Callable[..., CoolifyClient]


class QuietHost:
    """Every script succeeds and prints nothing."""

    async def run(self, server: Any, script: str, *, timeout_s: float) -> Completed:
        return Completed(0)


class Coolify:
    """A running stand-in: its address, what it was asked, and its test controls."""

    def __init__(self, app: Any) -> None:
        self.url = ""
        self.asked: list[str] = []
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Counted on arrival: the stand-in's own log is written after the answer.
        if scope["type"] == "http" and scope["path"].startswith("/api/v1"):
            self.asked.append(f"{scope['method']} {scope['path']}")
        await self._app(scope, receive, send)

    def control(self, verb: str, what: str, **body: Any) -> Any:
        answer = httpx.request(verb, f"{self.url}/__lab__/{what}", json=body or None)
        answer.raise_for_status()
        return answer

    def fault(self, kind: str, count: int = 1, **more: Any) -> None:
        self.control("POST", "faults", kind=kind, count=count, **more)


@pytest.fixture(scope="module")
def topology() -> Topology:
    return Topology.from_pillar({})


@pytest.fixture
def coolify(tmp_path: Path, topology: Topology) -> Iterator[Coolify]:
    seed = parse_seed(
        {
            "servers": [{"name": node.host, "ip": node.ip} for node in topology.nodes],
            "tokens": [
                {"token": f"{number}|{SECRET}", "name": name, "abilities": abilities}
                for name, (number, abilities) in TOKENS.items()
            ],
        }
    )
    settings = Settings(tmp_path, faults=True, rate_limit=500, queue_delay_s=0)
    coolify = Coolify(create_app(Standin(settings, seed, QuietHost()), background=False))
    with serving(coolify) as coolify.url:
        yield coolify


@pytest.fixture
def connect(coolify: Coolify) -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:

        def one(name: str = "deployer", **more: Any) -> CoolifyClient:
            token = f"{TOKENS[name][0]}|{SECRET}"
            more = {"sleep": lambda _seconds: None, **more}
            return stack.enter_context(CoolifyClient(coolify.url, token, **more))

        yield one


@pytest.fixture
def run(connect: Connect, topology: Topology) -> Callable[..., Outcome]:
    # A create whose answer was lost is looked for; here nothing comes later.
    pace = Pace(settle_s=0.05, interval_s=0.01)
    return lambda **words: converge(
        connect(), topology, wish(topology, **words), stack_compose, pace
    )


def problems(client: CoolifyClient, topology: Topology) -> list[str]:
    found: list[str] = survey(client, topology, stack_compose)["problems"]
    return found


def test_deploy_then_deploy_again(
    coolify: Coolify, connect: Connect, run: Callable[..., Outcome], topology: Topology
) -> None:
    assert problems(connect(), topology) == []
    first = run()
    assert len(first.started) == 16
    coolify.asked.clear()
    assert run() == Outcome()
    assert len(coolify.asked) == 4
    coolify.asked.clear()
    found = survey(connect(), topology, stack_compose)
    assert found["problems"] == []
    assert all(stack["current"] for stack in found["stacks"].values())
    assert len(coolify.asked) == 6
    assert not any(server.nightly_cleanup for server in connect().servers())


def test_a_clean_up_that_somebody_switched_on_again_is_seen_and_switched_off(
    coolify: Coolify, connect: Connect, run: Callable[..., Outcome], topology: Topology
) -> None:
    def seen() -> list[str]:
        servers = survey(connect(), topology, stack_compose)["servers"]
        return [node for node, server in servers.items() if server["nightly_cleanup"]]

    run()
    assert seen() == []
    (uuid,) = [server.uuid for server in connect().servers() if server.name == "builder.lan"]
    httpx.patch(
        f"{coolify.url}/api/v1/servers/{uuid}/docker-cleanup",
        json={"force_docker_cleanup": True},
        headers={"Authorization": f"Bearer 2|{SECRET}", "Accept": "application/json"},
    ).raise_for_status()
    assert seen() == ["postgres-node-4"]
    expected = {"nightly clean-up of builder.lan": {"old": "on", "new": "off"}}
    assert switch_off_everywhere(connect(), topology, test=True).changes == expected
    assert seen() == ["postgres-node-4"]
    client = connect()
    assert switch_off_everywhere(client, topology).changes == expected
    assert client.requests == 2
    assert seen() == []


def test_two_thousand_foreign_services_cost_no_request_more(
    coolify: Coolify, connect: Connect, run: Callable[..., Outcome], topology: Topology
) -> None:
    run(components=["etcd"])
    coolify.control("POST", "foreign-services", count=2000)
    coolify.asked.clear()
    assert run(components=["etcd"]) == Outcome()
    assert tag_clients(connect(), topology).changes == {}
    assert len(coolify.asked) == 5


def test_a_changed_text_is_stored_and_recreated_only_with_permission(
    run: Callable[..., Outcome], topology: Topology, connect: Connect
) -> None:
    run(components=["etcd"])
    newer = Topology.from_pillar({"postgresql_images": {"etcd": "pgha/etcd:3.5.17-1"}})

    def again(**words: Any) -> Outcome:
        return converge(connect(), newer, wish(newer, components=["etcd"], **words), stack_compose)

    assert len(again().pending_recreate) == 4
    assert again().changes == {}
    assert len(again().pending_recreate) == 4
    assert len(again(apply_changes=True).recreated) == 4
    assert again() == Outcome()


@pytest.mark.parametrize("kind", ["500", "503", "drop", "html", "429"])
def test_a_create_that_fails_leaves_one_stack_after_the_next_run(
    kind: str, coolify: Coolify, run: Callable[..., Outcome], connect: Connect, topology: Topology
) -> None:
    coolify.fault(kind, method="POST", path="/services")
    with contextlib.suppress(PghaError):
        run(components=["etcd"])
    run(components=["etcd"])
    project = connect().projects()[0]
    environment = connect().environment(project.uuid, "production")
    assert environment is not None
    names = sorted(service.name for service in environment.services)
    assert len(names) == len(set(names)) == 4


@pytest.mark.parametrize(
    ("kind", "count", "sentence"),
    [
        ("500", 9, "failed (500"),
        ("html", 1, "does not answer like Coolify"),
        ("hang", 1, "did not answer in time"),
    ],
)
def test_an_ill_coolify_is_one_sentence(
    kind: str, count: int, sentence: str, coolify: Coolify, connect: Connect, topology: Topology
) -> None:
    coolify.fault(kind, count, seconds=1)
    client = connect(timeout=0.4, policy=RetryPolicy(patience_s=0.3))
    found = problems(client, topology)
    assert len(found) == 1
    assert sentence in found[0]
    coolify.control("DELETE", "faults")


def test_a_passing_failure_is_not_noticed(
    coolify: Coolify, connect: Connect, topology: Topology
) -> None:
    coolify.fault("503", path="/servers")
    assert problems(connect(), topology) == []


@pytest.mark.parametrize(
    ("token", "missing"), [("plain", "read:sensitive"), ("reader", "read:sensitive, write, deploy")]
)
def test_missing_abilities_are_found_without_side_effects(
    token: str, missing: str, connect: Connect, topology: Topology
) -> None:
    found = problems(connect(token), topology)
    assert len(found) == 1
    assert f"lacks the abilities {missing}:" in found[0]


def test_an_unknown_token_and_a_switched_off_api_are_told_apart(
    coolify: Coolify, connect: Connect, topology: Topology
) -> None:
    stranger = CoolifyClient(coolify.url, f"99|{SECRET}")
    assert "does not know the token" in problems(stranger, topology)[0]
    coolify.control("PUT", "api", enabled=False)
    assert "is switched off" in problems(connect(), topology)[0]


def test_an_unusable_server_stops_the_run(
    coolify: Coolify, run: Callable[..., Outcome], connect: Connect
) -> None:
    coolify.control("PUT", "servers/builder.lan", is_usable=False)
    with pytest.raises(PghaError, match=r"server builder.lan of node postgres-node-4 .* usable"):
        run()
    assert connect().projects() == []


def test_a_tagged_service_is_given_the_hostname_and_keeps_the_rest(
    coolify: Coolify, connect: Connect, run: Callable[..., Outcome], topology: Topology
) -> None:
    run(components=["etcd"])
    client = connect()
    project = client.projects()[0]
    uuid = client.create_service(
        name="shop",
        description="the shop, uses postgresql",
        server_uuid=client.servers()[0].uuid,
        project_uuid=project.uuid,
        environment="production",
        compose="services:\n  web:\n    image: nginx\n    command: ['sleep', '22:22']\n",
    )
    headers = {"Authorization": f"Bearer 2|{SECRET}", "Accept": "application/json"}
    answer = httpx.post(
        f"{coolify.url}/api/v1/services/{uuid}/tags",
        json={"tag_name": "PostgreSQL"},
        headers=headers,
    )
    assert answer.status_code == 201
    outcome = tag_clients(connect(), topology)
    assert list(outcome.changes) == [f"shop ({uuid})"]
    (service,) = [service for service in client.services() if service.uuid == uuid]
    web = yaml.safe_load(service.compose or "")["services"]["web"]
    host = client.servers()[0].ip
    assert web["extra_hosts"] == [f"db.postgres.host.uk.com:{host}"]
    assert web["command"] == ["sleep", "22:22"]
    again = connect()
    assert tag_clients(again, topology).changes == {}
    assert again.requests == 2


def test_the_token_is_in_nothing_that_coolify_stored(
    coolify: Coolify, run: Callable[..., Outcome], tmp_path: Path
) -> None:
    run(components=["etcd"])
    assert coolify.asked
    for path in tmp_path.iterdir():
        assert SECRET.encode() not in path.read_bytes()
