"""What a roll and a reinit ask of a minion, over a Patroni that does what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from _modules import patroni_operations as patroni
from _modules import postgres_roll
from pgha.patroni import access
from pgha.patroni.client import PatroniClient
from pgha.render.patroni import dynamic_config
from tests.support.clusters import pillar, topology
from tests.unit.clients.servers import FakeServer, recorded, serve

SECRETS = {"passwords": {"restapi": "s3cret-rest", "monitor": "s3cret-mon"}}
PENDING = {"max_connections": {"old_value": "200", "new_value": "250"}}


@pytest.fixture
def given() -> dict[str, Any]:
    return pillar(pgha=SECRETS)


@pytest.fixture
def configure_loader_modules(given: dict[str, Any]) -> dict[Any, Any]:
    dunders = {"__pillar__": given, "__grains__": {"id": "app-server-2.lan"}}
    return dict.fromkeys((patroni, postgres_roll), dunders)


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A replica that waits for a restart until it is told to make it."""
    state = {
        **recorded("patroni_replica"),
        "pending_restart": True,
        "pending_restart_reason": PENDING,
    }

    def restart(_: Any) -> tuple[int, str]:
        state.update(postmaster_start_time="later", pending_restart=False)
        del state["pending_restart_reason"]
        return 200, "restarted successfully"

    routes: Any = {
        "GET /cluster": (200, recorded("cluster")),
        "GET /patroni": lambda _: (200, state),
        "GET /config": (200, dynamic_config(topology())),
        "POST /restart": restart,
        "POST /reinitialize": (200, "reinitialize started"),
    }
    with serve(routes) as server:

        def client_for(_: Any, node: Any, password: str | None = None) -> PatroniClient:
            user = "patroni" if password else None
            return PatroniClient(server.url, None, user, password, where=node.host)

        monkeypatch.setattr(access, "client_for", client_for)
        yield server


def test_member_is_restarted_for_what_it_waits_for_and_only_then(member: FakeServer) -> None:
    back = postgres_roll.restart(deadline=1)
    assert (back["role"], back["pending_restart_reason"]) == ("replica", {})
    assert member.asked("POST") == [{"restart_pending": True}]
    assert postgres_roll.restart(deadline=1) is None
    assert len(member.asked("POST")) == 1


def test_outlook_tells_what_waits(member: FakeServer) -> None:
    seen = postgres_roll.outlook()
    assert (seen["leader"], seen["pending"], seen["changes"]) == ("postgres-node-1", PENDING, {})


def test_outlook_before_the_first_deploy_needs_no_secrets(
    member: FakeServer, given: dict[str, Any]
) -> None:
    del given["pgha"]
    assert postgres_roll.outlook()["leader"] == "postgres-node-1"


def test_streaming_member_is_ready(member: FakeServer) -> None:
    assert postgres_roll.wait_ready(deadline=1)["role"] == "replica"


def test_reinit_is_sent_once_and_only_for_real(member: FakeServer) -> None:
    elsewhere = "controller.lan"
    assert patroni.reinit_(elsewhere, test=True)["leader"] == "postgres-node-1"
    assert member.asked("POST") == []
    patroni.reinit_(elsewhere, wait=False)
    assert member.asked("POST") == [{"force": True}]


def test_reinit_of_the_leader_is_refused(member: FakeServer) -> None:
    with pytest.raises(CommandExecutionError, match="is the leader"):
        patroni.reinit_("postgres-node-1", wait=False)
    assert member.asked("POST") == []


def test_minion_without_secrets_says_what_to_do(given: dict[str, Any]) -> None:
    del given["pgha"]
    for call in (postgres_roll.restart, patroni.reinit_, patroni.reinit_progress):
        with pytest.raises(CommandExecutionError, match="in its pillar; run the de"):
            call()
