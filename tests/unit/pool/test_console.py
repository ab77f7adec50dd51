"""PAUSE and RESUME of one pool, and of all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pgha.errors import TimedOutError, UnreachableError
from pgha.pool.console import Console, console_settings
from pgha.pool.pools import Pools
from pgha.topology import Node
from tests.support.clusters import topology
from tests.unit.pool.fake_console import FakePool, fake_pool


@pytest.fixture
def pool() -> Iterator[FakePool]:
    with fake_pool() as server:
        yield server


@pytest.fixture
def pools() -> Iterator[dict[str, FakePool]]:
    with ExitStack() as stack:
        yield {node.host: stack.enter_context(fake_pool()) for node in topology().nodes}


def opened(pools: dict[str, FakePool], *, without: str | None = None) -> Pools:
    def connect(node: Node) -> Console:
        if node.host == without:
            raise UnreachableError(f"the pool on {node.host} cannot be reached.")
        return Console(pools[node.host].settings(node.host))

    return Pools(topology().nodes, connect)


def test_console_is_asked_at_the_servers_own_address_and_verified_by_the_service_name() -> None:
    settings = console_settings(topology(), topology().nodes[1], "secret")
    parameters = settings.parameters()
    assert (parameters["hostaddr"], parameters["host"]) == (
        "172.28.0.21",
        "db.postgres.host.uk.com",
    )
    assert (parameters["dbname"], parameters["sslmode"]) == ("pgbouncer", "verify-full")
    assert "options" not in parameters  # PgBouncer refuses it
    assert "secret" not in repr(settings)


def test_pause_and_resume_are_seen_and_may_be_repeated(pool: FakePool) -> None:
    with Console(pool.settings()) as console:
        assert console.is_paused() is False
        console.pause(1)
        console.pause(1)
        assert console.is_paused() is True
        assert console.resume() is True
        assert console.resume() is False
        assert console.is_paused() is False


def test_a_pause_that_waits_for_a_transaction_is_bounded_and_undone_by_another(
    pool: FakePool,
) -> None:
    pool.busy = 3
    with Console(pool.settings()) as pauser, Console(pool.settings()) as resumer:
        with pytest.raises(
            TimedOutError, match=r"app-server-1.lan did not finish PAUSE within 0.1"
        ):
            pauser.pause(0.1)
        assert resumer.busy() == 3
        assert resumer.resume() is True
        assert pool.paused is False


def test_a_silent_console_costs_its_bound(pool: FakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgha.pool.console.ANSWER_S", 0.05)
    with Console(pool.settings()) as console:
        pool.deaf = True
        with pytest.raises(TimedOutError, match="SHOW STATE"):
            console.is_paused()


def test_nobody_there_is_a_sentence() -> None:
    with fake_pool() as server:
        settings = server.settings()
    with pytest.raises(UnreachableError, match=r"the pool on app-server-1.lan cannot be reached"):
        Console(settings)


def test_all_pools_are_held_and_let_go_together(pools: dict[str, FakePool]) -> None:
    with opened(pools) as all_pools:
        assert all_pools.pause(1) == {}
        assert all_pools.paused() == sorted(pools)
        assert all_pools.resume() == {}
        assert all_pools.paused() == []
        assert all_pools.held_s > 0


def test_the_pool_that_is_not_quiet_is_named_and_all_are_let_go(pools: dict[str, FakePool]) -> None:
    pools["builder.lan"].busy = 1
    with opened(pools) as all_pools:
        late = all_pools.pause(0.1)
        assert list(late) == ["builder.lan"]
        assert all_pools.busy("builder.lan") == 1
        assert all_pools.resume() == {}
    assert not any(pool.paused for pool in pools.values())


def test_resume_gets_through_when_its_connection_broke(pools: dict[str, FakePool]) -> None:
    with opened(pools) as all_pools:
        all_pools.pause(1)
        all_pools._consoles["builder.lan"][1]._connection.close()
        assert all_pools.resume() == {}
    assert not any(pool.paused for pool in pools.values())


def test_an_unreachable_pool_is_named_and_the_others_work(pools: dict[str, FakePool]) -> None:
    with opened(pools, without="controller.lan") as all_pools:
        assert list(all_pools.unreachable) == ["controller.lan"]
        assert all_pools.pause(1) == {}
        assert len(all_pools.paused()) == 3
        all_pools.resume()
