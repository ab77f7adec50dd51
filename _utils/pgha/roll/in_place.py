"""Restart the leader where it is while the clients of the pools wait.

For settings that no replica may undercut: whoever leads must run with the smaller value before any
replica can (`pgha.roll.moves`), so moving the lead would only move the problem. One process talks
to every server, as in a switchover (`pgha.operate.handover`); sessions that bypass the pools are
ended by the restart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from pgha.errors import FailedError, PghaError, RefusedError, TimedOutError
from pgha.operate.handover import (
    HOLD_LIMIT_S,
    LOOK_S,
    PAUSE_LIMIT_S,
    ROUTE_LOOK_S,
    STREAMING_DEADLINE_S,
)
from pgha.operate.reach import Asked, Reach, overlapping
from pgha.pool.pools import Pools, sentences
from pgha.topology import Node
from pgha.transport import in_parallel
from pgha.verdict.findings import called
from pgha.wait import Pending, poll

REPLAY_LOOK_S = 0.2
"""A replica looks for its leader again every 5 s (``wal_retrieve_retry_interval``)."""


@dataclass(frozen=True)
class Limits:
    """Seconds: for running transactions to end, for which clients are held at most, and for the
    replicas to catch up afterwards."""

    pause_s: float = PAUSE_LIMIT_S
    hold_s: float = HOLD_LIMIT_S
    replay_s: float = STREAMING_DEADLINE_S


def restart_leader(reach: Reach, node: Node, limits: Limits | None = None) -> dict[str, Any] | None:
    """Restart the leader's PostgreSQL for what it waits for; None when it waits for nothing.

    Returns:
        ``{"node", "held_ms"}``: the longest time that a client of a pool can have been held.

    Raises:
        RefusedError: nothing was changed: it does not lead, a pool cannot be reached, or clients
            hold transactions for too long.
        FailedError: restarted, and it does not take writes again, is not reached through every
            router, or is not followed by every replica. The clients were let go.
    """
    own = reach.patroni(node).member()
    if own.role != "primary":
        raise RefusedError(f"{called(node)} does not lead any more; run it again.")
    if not own.pending_restart:
        return None
    limits = limits or Limits()
    with reach.pools() as pools:
        _require(pools)
        try:
            _hold(pools, limits)
            _restart(reach, node, own.postmaster_start_time, limits)
        finally:
            left = pools.resume()
    if left:
        raise FailedError(f"{called(node)} was restarted. {sentences(left)}")
    _wait_replayed(reach, node, limits)
    return {"node": node.name, "held_ms": round(pools.held_s * 1000)}


def _require(pools: Pools) -> None:
    if pools.unreachable:
        raise RefusedError(
            f"{sentences(pools.unreachable)} Clients there could not be held and would see errors; "
            "nothing was changed. Repair it and run the deploy again."
        )


def _hold(pools: Pools, limits: Limits) -> None:
    if late := pools.pause(limits.pause_s):
        raise RefusedError(
            f"Transactions are still open after {limits.pause_s:g} s on the pool of "
            f"{', '.join(sorted(late))}; nothing was changed and all clients go on. Wait for them "
            "or end them, and run the deploy again."
        )


def _restart(reach: Reach, node: Node, before: str | None, limits: Limits) -> None:
    until = time.monotonic() + limits.hold_s
    asked = Asked(reach.patroni(node).restart)
    try:
        _wait_writable(reach, node, asked, before, until)
    except TimedOutError as error:
        raise FailedError(
            f"The leader's restart took too long, so the clients were let go: {error} See "
            "`salt-run postgres.status` and `pgha-logs patroni` there."
        ) from error
    _wait_routed(reach, node, until)


def _wait_writable(
    reach: Reach, node: Node, asked: Asked, before: str | None, until: float
) -> None:
    def check() -> bool | Pending:
        own = reach.patroni(node).member()
        if own.postmaster_start_time == before and asked.refusal:
            raise FailedError(f"{called(node)} was not restarted: {asked.refusal}")
        if own.state != "running" or own.postmaster_start_time == before:
            return Pending(f"{node.name} is {own.state}")
        return True if _takes_writes(reach, node) else Pending(f"{node.name} takes no writes yet")

    poll(
        check,
        deadline_s=max(until - time.monotonic(), 0),
        interval_s=LOOK_S,
        what=f"{called(node)} to take writes again",
    )


def _wait_replayed(reach: Reach, node: Node, limits: Limits) -> None:
    """Every replica has replayed what the leader wrote at its start, the new limits among it: a
    replica that restarts before would start with the old ones once more."""
    start = _position(reach, node)
    replicas = [each.name for each in reach.topology.nodes if each != node]

    def check() -> bool | Pending:
        written = _position(reach, node)
        lags = reach.replica_lags(node)
        behind = [
            name for name in replicas if (lag := lags.get(name)) is None or written - lag < start
        ]
        return Pending(f"{', '.join(behind)} has not replayed it") if behind else True

    poll(
        check,
        deadline_s=limits.replay_s,
        interval_s=REPLAY_LOOK_S,
        what=f"the replicas of {called(node)}, which was restarted,",
    )


def _position(reach: Reach, node: Node) -> int:
    return reach.patroni(node).member().wal_position or 0


def _takes_writes(reach: Reach, node: Node) -> bool:
    try:
        return reach.takes_writes(node)
    except PghaError:
        return False


def _wait_routed(reach: Reach, node: Node, until: float) -> None:
    def check(server: Node) -> str | None:
        return overlapping(
            lambda: reach.leads_to(server) == node.ip, interval_s=ROUTE_LOOK_S, until=until
        )

    seen = in_parallel({each.host: partial(check, each) for each in reach.topology.nodes})
    late = [f"{host} ({last})" for host, last in seen.items() if last]
    if late:
        raise FailedError(
            f"{called(node)} takes writes again, but these routers do not lead to it: "
            f"{'; '.join(late)}; see `pgha-logs router` there."
        )
