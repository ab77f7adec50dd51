"""Functions with ``cluster=NAME`` use that cluster's secrets, ports and containers."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from _modules import postgres_db, postgres_node
from pgha.errors import PghaError
from pgha.node.docker import Container, Docker
from pgha.patroni import access
from pgha.patroni.client import PatroniClient
from pgha.pg import route
from tests.support.clusters import two_clusters
from tests.support.verbs import files_of, verbs_of
from tests.unit.clients.servers import serve

coolify, patroni = verbs_of("coolify"), verbs_of("patroni")
HERE = "app-server-1.lan"


def secrets(cluster: str) -> dict[str, Any]:
    names = ("superuser", "monitor", "restapi")
    return {
        "passwords": {name: f"{name}-of-{cluster}" for name in names},
        "coolify_token": f"1|token-of-{cluster}",
    }


@pytest.fixture
def given() -> dict[str, Any]:
    held = {**secrets("main"), "clusters": {"billing": secrets("billing")}}
    return {**two_clusters(), "pgha": held}


@pytest.fixture
def configure_loader_modules(given: dict[str, Any]) -> dict[Any, Any]:
    dunders = {"__pillar__": given, "__grains__": {"id": HERE}}
    return dict.fromkeys(
        (*files_of("coolify"), *files_of("patroni"), postgres_db, postgres_node), dunders
    )


BOTH = pytest.mark.parametrize(
    ("cluster", "word", "port"), [("coolify_postgres", "main", 5434), ("billing", "billing", 15434)]
)


@BOTH
def test_patroni_is_asked_with_the_clusters_password(
    cluster: str, word: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve({"POST /reload": (202, "reload scheduled")}) as server:

        def client_for(_: Any, node: Any, password: str) -> PatroniClient:
            return PatroniClient(server.url, None, "patroni", password, where=node.host)

        monkeypatch.setattr(access, "client_for", client_for)
        patroni.reload(cluster=cluster)
        ((*_, authorization),) = server.requests
    assert base64.b64decode(authorization.split()[1]).decode() == f"patroni:restapi-of-{word}"


@BOTH
def test_postgresql_is_asked_at_the_clusters_port(
    cluster: str, word: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(postgres_db.probe, "server_facts", asked.append)
    postgres_db.facts(cluster=cluster)
    assert [(each.port, each.password) for each in asked] == [(port, f"monitor-of-{word}")]


@BOTH
def test_routes_are_tried_as_the_clusters_monitor(
    cluster: str, word: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(route, "check", lambda *given, **_: asked.append(given))
    monkeypatch.setattr(route, "prove", lambda *given, **_: asked.append(given))
    postgres_node.routes(cluster=cluster)
    postgres_node.prove(cluster=cluster)
    assert [(topology.member_port, password) for topology, _, password in asked] == [
        (port, f"monitor-of-{word}")
    ] * 2


@BOTH
def test_coolify_is_asked_with_the_clusters_token(
    cluster: str, word: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[str] = []

    def refuse(url: str, token: str, **_: Any) -> None:
        tokens.append(token)
        raise PghaError("enough seen")

    monkeypatch.setattr("pgha_minion.coolify.CoolifyClient", refuse)
    with pytest.raises(CommandExecutionError, match="enough seen"):
        coolify.version(cluster=cluster)
    assert tokens == [f"1|token-of-{word}"]


def test_without_a_name_the_clusters_are_named() -> None:
    for ask in (patroni.status, postgres_db.facts, postgres_node.facts):
        with pytest.raises(CommandExecutionError, match=r"\(coolify_postgres, billing\): say"):
            ask()


def test_this_servers_clusters() -> None:
    assert postgres_node.clusters() == ["coolify_postgres", "billing"]


def test_a_reload_tells_this_clusters_containers_only(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of the other cluster begins with this one's."""
    clusters = given["postgresql_clusters"]
    clusters["coolify_postgres_two"] = clusters.pop("billing")
    stacks = (
        "coolify-postgres-postgres-node-1-router",
        "coolify-postgres-two-billing-1-router",
        "coolify-postgres-postgres-node-2-router",
    )
    found = [Container(f"haproxy-{s}", "haproxy", s, "running", "Up", "x") for s in stacks]
    told: list[str] = []
    monkeypatch.setattr(Docker, "containers", lambda self: found)
    monkeypatch.setattr(Docker, "signal", lambda self, name, signal: told.append(name))
    assert postgres_node.reload("haproxy", cluster="coolify_postgres") == told
    assert told == [f"haproxy-{stacks[0]}"]
