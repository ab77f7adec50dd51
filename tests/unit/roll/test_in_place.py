"""The leader restarts while every pool is held, and the clients are let go whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import FailedError, RefusedError, TimedOutError
from pgha.patroni.models import MemberStatus
from pgha.roll.in_place import Limits, restart_leader
from tests.support.clusters import topology
from tests.unit.clients.patroni_members import LEADER, own

CLUSTER = topology()
NODE = CLUSTER.node(LEADER)
PENDING = {"max_connections": {"old_value": "250", "new_value": "200"}}
QUICK = Limits(pause_s=0.1, hold_s=5, replay_s=0)
HASTY = Limits(pause_s=0.1, hold_s=0.05, replay_s=0)


class Pools:
    """Pools that note what was done to them."""

    held_s = 0.25

    def __init__(self) -> None:
        self.done: list[str] = []
        self.unreachable: dict[str, str] = {}
        self.busy: dict[str, str] = {}
        self.deaf: dict[str, str] = {}

    def __enter__(self) -> Pools:
        return self

    def __exit__(self, *_: object) -> None:
        self.done.append("closed")

    def pause(self, limit_s: float) -> dict[str, str]:
        self.done.append("paused")
        return self.busy

    def resume(self) -> dict[str, str]:
        self.done.append("resumed")
        return self.deaf


class Servers:
    """A leader that restarts when told, behind routers that lead to it."""

    topology = CLUSTER

    def __init__(self, **status: Any) -> None:
        waiting = {"pending_restart": True, "pending_restart_reason": PENDING, **status}
        self.status = own(LEADER, **waiting)
        self.pool = Pools()
        self.refusal: RefusedError | None = None
        self.comes_back = True
        self.leads = NODE.ip
        self.lags: dict[str, int | None] = {node.name: 0 for node in CLUSTER.nodes}

    def patroni(self, node: Any) -> Servers:
        return self

    def member(self) -> MemberStatus:
        return MemberStatus.from_json(self.status)

    def restart(self) -> None:
        assert self.pool.done == ["paused"]
        if self.refusal:
            raise self.refusal
        if self.comes_back:
            self.status = own(LEADER, postmaster_start_time="09:30")

    def pools(self) -> Pools:
        return self.pool

    def takes_writes(self, node: Any) -> bool:
        return True

    def replica_lags(self, node: Any) -> dict[str, int | None]:
        return self.lags

    def leads_to(self, node: Any) -> str:
        return self.leads


def restarted(servers: Any, limits: Limits = QUICK) -> dict[str, Any] | None:
    return restart_leader(servers, NODE, limits)


def test_leader_is_restarted_between_pause_and_resume() -> None:
    servers = Servers()
    assert restarted(servers) == {"node": LEADER, "held_ms": 250}
    assert servers.pool.done == ["paused", "resumed", "closed"]


def test_leader_that_does_not_wait_for_a_restart_is_left_alone() -> None:
    servers = Servers(pending_restart=False)
    assert restarted(servers) is None
    assert servers.pool.done == []


def test_former_leader_is_refused() -> None:
    with pytest.raises(RefusedError, match="does not lead any more"):
        restarted(Servers(role="replica"))


def test_pool_that_cannot_be_held_is_a_refusal_before_anything_is_done() -> None:
    servers = Servers()
    servers.pool.unreachable = {"builder.lan": "the pool on builder.lan cannot be reached."}
    with pytest.raises(RefusedError, match=r"builder\.lan.*nothing was changed"):
        restarted(servers)
    assert servers.pool.done == ["closed"]


def test_long_transactions_are_not_broken_off() -> None:
    servers = Servers()
    servers.pool.busy = {"builder.lan": "PAUSE did not finish"}
    with pytest.raises(RefusedError, match=r"still open after 0\.1 s on the pool of builder\.lan"):
        restarted(servers)
    assert servers.pool.done == ["paused", "resumed", "closed"]
    assert servers.status["postmaster_start_time"] == "09:00"


def test_refused_restart_lets_the_clients_go_and_says_why() -> None:
    servers = Servers()
    servers.refusal = RefusedError("answered 503: restart conditions are not satisfied")
    with pytest.raises(FailedError, match="was not restarted: answered 503"):
        restarted(servers)
    assert servers.pool.done[-2:] == ["resumed", "closed"]


def test_leader_that_does_not_come_back_in_time_lets_the_clients_go() -> None:
    servers = Servers()
    servers.comes_back = False
    with pytest.raises(FailedError, match=r"took too long.*postgres\.status"):
        restarted(servers, HASTY)
    assert servers.pool.done[-2:] == ["resumed", "closed"]


def test_router_that_leads_elsewhere_is_named() -> None:
    servers = Servers()
    servers.leads = "10.9.9.9"
    with pytest.raises(FailedError, match=r"do not lead to it: app-server-1\.lan \("):
        restarted(servers, HASTY)
    assert servers.pool.done[-2:] == ["resumed", "closed"]


def test_pool_that_stays_held_is_a_failure() -> None:
    servers = Servers()
    servers.pool.deaf = {"builder.lan": "RESUME on builder.lan did not happen."}
    with pytest.raises(FailedError, match="RESUME on builder"):
        restarted(servers)


@pytest.mark.parametrize("lag", [None, 1])
def test_replica_that_has_not_replayed_the_start_is_waited_for(lag: int | None) -> None:
    """Until then it would start with the old limits again."""
    servers = Servers()
    servers.lags["postgres-node-3"] = lag
    with pytest.raises(TimedOutError, match="postgres-node-3 has not replayed it"):
        restarted(servers)
    assert servers.pool.done[-2:] == ["resumed", "closed"]
