"""The execution modules as Salt calls them, over servers with recorded answers."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from _modules import etcd_cluster, postgres_db, postgres_pool
from pgha.etcd.client import EtcdClient
from pgha.patroni import access
from pgha.patroni.client import PatroniClient
from pgha.render.patroni import dynamic_config
from tests.support.clusters import pillar, topology
from tests.support.verbs import files_of, verbs_of
from tests.unit.clients.etcd_gateway import Gateway, voters
from tests.unit.clients.servers import FakeServer, recorded, serve

patroni = verbs_of("patroni")
MODULES = (*files_of("patroni"), etcd_cluster, postgres_db, postgres_pool)
SECRETS = {"passwords": {"restapi": "s3cret-rest", "monitor": "s3cret-mon"}}


@pytest.fixture
def given() -> dict[str, Any]:
    """The minion's pillar; tests change it."""
    return pillar(pgha=SECRETS)


@pytest.fixture
def configure_loader_modules(given: dict[str, Any]) -> dict[Any, Any]:
    dunders = {"__pillar__": given, "__grains__": {"id": "app-server-2.lan"}}
    return dict.fromkeys(MODULES, dunders)


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A Patroni with the declared configuration but another ttl."""
    config = {**dynamic_config(topology()), "ttl": 40}
    routes = {
        "GET /cluster": (200, recorded("cluster")),
        "GET /patroni": (200, recorded("patroni_replica")),
        "GET /history": (200, recorded("history")),
        "GET /primary": (503, {"state": "running"}),
        "GET /config": lambda _: (200, config),
        "PATCH /config": lambda body: (200, config.update(body) or config),
        "POST /reload": (202, "reload scheduled"),
    }
    with serve(routes) as server:

        def client_for(_: Any, node: Any, password: str | None = None) -> PatroniClient:
            user = "patroni" if password else None
            return PatroniClient(server.url, None, user, password, where=node.host)

        monkeypatch.setattr(access, "client_for", client_for)
        yield server


def test_status_of_this_server_and_of_a_named_one(member: FakeServer) -> None:
    here = patroni.status()
    assert (here["node"], here["role"], here["error"]) == ("postgres-node-2", "replica", None)
    assert patroni.status(node="controller.lan")["node"] == "postgres-node-3"
    assert patroni.status(node="postgres-node-3")["node"] == "postgres-node-3"


def test_who_leads_who_follows_and_since_when(member: FakeServer) -> None:
    assert patroni.leader() == "postgres-node-1"
    assert patroni.is_leader() is False
    assert [line["name"] for line in patroni.members()] == [
        "postgres-node-1",
        "postgres-node-2",
        "postgres-node-3",
    ]
    assert patroni.history()[0]["new_leader"] == "postgres-node-1"


def test_the_configuration_is_compared_and_brought_to_the_declared_one(member: FakeServer) -> None:
    expected = {"ttl": {"old": 40, "new": 30}}
    assert patroni.config_changes() == expected
    assert member.asked("PATCH") == []
    assert patroni.config_apply() == expected
    assert member.asked("PATCH") == [{"ttl": 30}]
    assert patroni.config_changes() == {}


def test_reload_is_sent_with_the_password_and_reads_without(member: FakeServer) -> None:
    patroni.members()
    assert patroni.reload()
    assert [authorization is not None for *_, authorization in member.requests] == [False, True]


def test_an_unknown_node_is_named_with_those_that_exist(member: FakeServer) -> None:
    with pytest.raises(CommandExecutionError, match="'nobody' is not a node of cluster"):
        patroni.status(node="nobody")


def test_a_minion_without_secrets_says_what_to_do(
    member: FakeServer, given: dict[str, Any]
) -> None:
    del given["pgha"]
    calls = (patroni.reload, patroni.standing, postgres_db.role_changes, postgres_db.facts)
    for call in (*calls, postgres_pool.paused, postgres_pool.resume, postgres_pool.guard):
        with pytest.raises(
            CommandExecutionError, match="has no secrets of cluster coolify_postgres in its"
        ):
            call()


def test_a_wrong_pillar_names_every_problem(given: dict[str, Any]) -> None:
    given.update(patroni_ttl=10, postgresql_port="x")
    for call in (patroni.status, etcd_cluster.status, postgres_db.role_changes):
        with pytest.raises(CommandExecutionError) as caught:
            call()
        assert "patroni_ttl" in str(caught.value)
        assert "postgresql_port" in str(caught.value)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    gateway = Gateway(voters(topology()))
    with serve(gateway.routes()) as server:

        def client_for(_: Any, node: Any, timeout: float = 1) -> EtcdClient:
            return EtcdClient(server.url, timeout=timeout, where=node.host)

        monkeypatch.setattr(etcd_cluster.access, "client_for", client_for)
        yield gateway


def test_etcd_from_empty_to_a_learner_and_back(gateway: Gateway) -> None:
    assert etcd_cluster.wait_quorum(deadline=5) == list(topology().voters)
    assert etcd_cluster.status()["healthy"]
    learner = topology().learners[0]
    assert list(etcd_cluster.member_changes(learner)) == [learner]
    assert etcd_cluster.member_add("builder.lan")["learner"] is True
    assert etcd_cluster.member_changes(learner) == {}
    assert len(etcd_cluster.members()) == 4
    assert etcd_cluster.member_remove(learner)["learner"] is True
    assert etcd_cluster.member_remove(learner) is None


def test_lost_quorum_is_an_answer_for_status_and_an_error_for_members(gateway: Gateway) -> None:
    gateway.quorum = False
    assert "has no quorum" in etcd_cluster.status()["error"]
    with pytest.raises(CommandExecutionError, match="No etcd voter"):
        etcd_cluster.members()


def public_functions() -> list[Any]:
    return [
        pytest.param(function, id=f"{module.__virtualname__}.{name}")
        for module in MODULES
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    ]


@pytest.mark.parametrize("function", public_functions())
def test_every_function_shows_how_to_call_it(function: Callable[..., Any]) -> None:
    """And with names of arguments that it has."""
    text = inspect.getdoc(function) or ""
    assert "CLI Example:" in text
    name = function.__name__.rstrip("_")
    (example,) = [line for line in text.splitlines() if f".{name}" in line][:1]
    named = {word.split("=")[0] for word in example.split(f".{name}", 1)[1].split() if "=" in word}
    assert named <= set(inspect.signature(function).parameters)


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_library_is_named(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.__virtual__() == module.__virtualname__
    monkeypatch.setattr(module, "MISSING", "httpx")
    loaded, why = module.__virtual__()
    assert not loaded
    assert "httpx" in why


def test_modules_take_nothing_from_the_library_unguarded() -> None:
    """An import at the top would make Salt hide the module without saying why."""
    for module in MODULES:
        tree = ast.parse(inspect.getsource(module))
        top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert not [node for node in top if "pgha" in (getattr(node, "module", "") or "")]
