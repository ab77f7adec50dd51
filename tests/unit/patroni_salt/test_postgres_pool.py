"""The pool as Salt sees it: paused, resumed, and never left held by an interrupted run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from _modules import postgres_pool as module
from _states import postgres_pool as state
from tests.support.clusters import pillar
from tests.unit.pool.fake_console import FakePool, fake_pool

SECRETS = {"passwords": {"monitor": "s3cret-mon", "pgbouncer": "s3cret-pool"}}


@pytest.fixture(autouse=True, params=[False, True], ids=["for real", "test=True"])
def testmode(request: pytest.FixtureRequest) -> bool:
    mode: bool = request.param
    return mode


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePool]:
    with fake_pool() as server:
        settings = server.settings()
        monkeypatch.setattr("pgha.pool.console.console_settings", lambda *_, **__: settings)
        monkeypatch.setattr(module, "console_settings", lambda *_, **__: settings)
        yield server


@pytest.fixture
def configure_loader_modules(testmode: bool, pool: FakePool) -> dict[Any, Any]:
    verbs = {"postgres_pool.paused": module.paused, "postgres_pool.resume": module.resume}
    return {
        module: {"__pillar__": pillar(pgha=SECRETS), "__grains__": {"id": "app-server-1.lan"}},
        state: {"__salt__": verbs, "__opts__": {"test": testmode}},
    }


def test_a_held_pool_is_seen_and_let_go(pool: FakePool) -> None:
    assert module.paused() is False
    assert module.resume() is False
    pool.pause()
    assert module.paused() is True
    assert module.resume() is True
    assert pool.paused is False


def test_the_state_leaves_a_pool_that_is_not_held_alone(pool: FakePool) -> None:
    done = state.resumed("x")
    assert (done["result"], done["changes"]) == (True, {})
    assert "RESUME" not in pool.commands


def test_the_state_lets_the_clients_of_a_held_pool_go(pool: FakePool, testmode: bool) -> None:
    pool.pause()
    done = state.resumed("x")
    assert done["changes"] == {"pool": {"old": "paused", "new": "resumed"}}
    assert done["result"] is (None if testmode else True)
    assert pool.paused is testmode


def test_a_server_without_a_pool_is_as_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_pool() as gone:
        settings = gone.settings()
    monkeypatch.setattr("pgha.pool.console.console_settings", lambda *_, **__: settings)
    monkeypatch.setattr(module, "console_settings", lambda *_, **__: settings)
    assert module.paused() is None
    assert state.resumed("x")["result"] is True
    with pytest.raises(CommandExecutionError, match=r"app-server-1.lan cannot be reached"):
        module.resume()
