"""The seconds of a switchover in which clients are held; one process talks to every server.

A Salt publication takes seconds, so this runs on one server, which asks Patroni, PostgreSQL, the
routers and the pools of all servers directly. Order: look once more, open the consoles of all
pools, PAUSE, have Patroni hand over, wait until the new leader takes writes and every router leads
to it, RESUME (whatever happened), wait until all replicas stream on the new timeline.

What happened is judged by who takes writes. Patroni's answer only ends the wait early, when it has
refused and the old leader still leads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from pgha.errors import FailedError, PghaError, RefusedError, TimedOutError, UnreachableError
from pgha.operate.reach import Asked, Reach, overlapping
from pgha.patroni.models import Cluster
from pgha.pool.pools import Pools
from pgha.topology import Node
from pgha.transport import in_parallel
from pgha.verdict.findings import called
from pgha.wait import Pending, poll

PAUSE_LIMIT_S = 5.0
HOLD_LIMIT_S = 25.0
"""Clients are let go after this, also when nobody leads; the guards come at 30 s."""
STREAMING_DEADLINE_S = 90.0
LOOK_S = 0.05
ROUTE_LOOK_S = 0.15
OTHERS_AFTER_S = 5.0
"""From then on another node may have been promoted instead of the chosen one."""


@dataclass(frozen=True)
class Limits:
    """Seconds; ``force`` goes on although a pool is unreachable or clients hold transactions."""

    pause_s: float = PAUSE_LIMIT_S
    hold_s: float = HOLD_LIMIT_S
    streaming_s: float = STREAMING_DEADLINE_S
    force: bool = False


@dataclass
class Report:
    """What the hand-over did; JSON-ready through ``vars``.

    ``phases`` milliseconds of pause, promote, route, resume, streaming; ``held_ms`` the longest
    time that a client of a pool can have been held; ``errors`` what was put up with by ``force``.
    """

    old: str
    new: str
    timeline_before: int | None = None
    timeline_after: int | None = None
    held_ms: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Note how long the block took, also when it failed."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = round((time.monotonic() - started) * 1000)


def hand_over(reach: Reach, old: Node, new: Node, limits: Limits) -> Report:
    """Make ``new`` the leader instead of ``old`` while the clients of all pools wait.

    Raises:
        RefusedError: nothing was changed: the roles are not as asked for, a pool cannot be reached,
            or clients hold transactions for too long.
        FailedError: begun and not ended well; says what was seen last. The clients were let go.
    """
    report = Report(old.name, new.name)
    cluster = _look(reach, old, new, report)
    failure: PghaError | None = None
    with reach.pools() as pools:
        _require(pools, limits, report)
        try:
            _hold(pools, limits, report)
            _switch(reach, pools, old, new, limits, report)
        except (TimedOutError, FailedError) as err:
            failure = err
        finally:
            _release(pools, report)
    if failure:
        raise FailedError(f"{failure} {_released(report)} {seen_now(reach)}") from failure
    _settle(reach, cluster, limits, report)
    return report


def seen_now(reach: Reach) -> str:
    """A sentence on who takes writes at this moment."""
    looks = {node.name: partial(_writable, reach, node) for node in reach.topology.nodes}
    found = [name for name, writable in in_parallel(looks).items() if writable]
    if not found:
        return (
            "No node takes writes at this moment; Patroni elects a leader within "
            f"{reach.topology.ttl} s if it can: see `salt-run postgres.status`, then run it again."
        )
    names = " and ".join(called(reach.topology.node(name)) for name in found)
    return f"{names} takes writes now; see `salt-run postgres.status`, then run it again."


def _look(reach: Reach, old: Node, new: Node, report: Report) -> Cluster:
    """The last look before anything is touched: a check made by Salt is seconds old."""
    leader = reach.patroni(old)
    if not leader.is_primary() or not reach.takes_writes(old):
        raise RefusedError(f"{called(old)} does not lead any more; run it again.")
    if reach.takes_writes(new):
        raise RefusedError(f"{called(new)} is no replica; see `salt-run postgres.status`.")
    report.timeline_before = leader.member().timeline
    return leader.cluster()


def _require(pools: Pools, limits: Limits, report: Report) -> None:
    sentences = list(pools.unreachable.values())
    if sentences and not limits.force:
        raise RefusedError(
            f"{' '.join(sentences)} Clients there could not be held and would see errors; repair "
            "it with the deploy, or go on without them: FORCE=1 (make), force (pillar)."
        )
    report.errors += sentences


def _hold(pools: Pools, limits: Limits, report: Report) -> None:
    with report.phase("pause"):
        late = pools.pause(limits.pause_s)
    if late and not limits.force:
        where = " and ".join(_busy(pools, host) for host in sorted(late))
        raise RefusedError(
            f"Transactions are still open after {limits.pause_s:g} s on the pool of {where}; "
            "nothing was changed and all clients go on. Wait for them or end them, or go on and "
            "break them off: FORCE=1 (make), force (pillar)."
        )
    report.errors += late.values()


def _busy(pools: Pools, host: str) -> str:
    running = pools.busy(host)
    return host if running is None else f"{host} ({running})"


def _switch(
    reach: Reach, pools: Pools, old: Node, new: Node, limits: Limits, report: Report
) -> None:
    until = time.monotonic() + limits.hold_s - report.phases["pause"] / 1000
    asked = Asked(partial(reach.patroni(old).switchover, old.name, new.name, limits.hold_s))
    with report.phase("promote"):
        leader = _promoted(reach, asked, old, new, until)
    if leader != new:
        report.new = leader.name
        report.errors.append(f"{called(leader)} was promoted instead of {called(new)}.")
    with report.phase("route"):
        _routed(reach, pools, leader, until)


def _promoted(reach: Reach, asked: Asked, old: Node, new: Node, until: float) -> Node:
    """The new leader as soon as it takes writes."""
    others = [node for node in reach.topology.nodes if node not in (old, new)]
    others_from = time.monotonic() + OTHERS_AFTER_S

    def check() -> Node | Pending:
        if _writable(reach, new):
            return new
        if asked.refusal and _writable(reach, old):
            raise FailedError(f"{called(old)} goes on leading: {asked.refusal}")
        if time.monotonic() > others_from:
            looks = {node.name: partial(_writable, reach, node) for node in others}
            for name, writable in in_parallel(looks).items():
                if writable:
                    return reach.topology.node(name)
        return Pending(asked.refusal or f"{called(new)} is still a replica")

    return poll(
        check,
        deadline_s=max(until - time.monotonic(), 0),
        interval_s=LOOK_S,
        what=f"{called(new)} as leader",
    )


def _routed(reach: Reach, pools: Pools, leader: Node, until: float) -> None:
    nodes = [node for node in reach.topology.nodes if node.host not in pools.unreachable]

    def check(node: Node) -> str | None:
        return overlapping(
            lambda: reach.leads_to(node) == leader.ip, interval_s=ROUTE_LOOK_S, until=until
        )

    seen = in_parallel({node.host: partial(check, node) for node in nodes})
    late = [f"{host} ({last})" for host, last in seen.items() if last]
    if late:
        raise FailedError(
            f"{called(leader)} leads, but these routers do not lead to it: {'; '.join(late)}."
        )


def _release(pools: Pools, report: Report) -> None:
    with report.phase("resume"):
        report.errors += pools.resume().values()
    report.held_ms = round(pools.held_s * 1000)


def _released(report: Report) -> str:
    return f"The pools' clients were held for {report.held_ms / 1000:.1f} s and then let go."


def _settle(reach: Reach, before: Cluster, limits: Limits, report: Report) -> None:
    """Every node that took part before streams from the new leader on its timeline."""
    leader = reach.topology.node(report.new)
    took_part = {
        member.name for member in before.members if member.state in ("streaming", "running")
    }
    replicas = [n for n in reach.topology.nodes if n.name in took_part and n != leader]
    try:
        with report.phase("streaming"):
            report.timeline_after = poll(
                partial(_streaming, reach, leader, replicas),
                deadline_s=limits.streaming_s,
                interval_s=LOOK_S * 4,
                what=f"the replicas of {called(leader)}",
            )
    except TimedOutError as err:
        raise FailedError(
            f"{called(leader)} leads. {err} See `pgha-logs patroni` there; the deploy brings a "
            "stopped one back."
        ) from err


def _streaming(reach: Reach, leader: Node, replicas: list[Node]) -> int | Pending:
    timeline = reach.patroni(leader).member().timeline
    lags: Mapping[str, int | None] = reach.replica_lags(leader)
    missing = [called(node) for node in replicas if node.name not in lags]
    if missing or timeline is None:
        return Pending(f"{', '.join(missing)} does not stream from it")
    own = in_parallel({node.name: partial(_timeline, reach, node) for node in replicas})
    behind = [f"{name} is on timeline {own[name]}" for name in own if own[name] != timeline]
    return Pending(f"{', '.join(behind)} instead of {timeline}") if behind else timeline


def _timeline(reach: Reach, node: Node) -> int | None:
    return reach.patroni(node).member().timeline


def _writable(reach: Reach, node: Node) -> bool:
    try:
        return reach.takes_writes(node)
    except (UnreachableError, RefusedError, FailedError):
        return False
