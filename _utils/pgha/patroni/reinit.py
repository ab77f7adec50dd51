"""Build a replica anew from the leader: when one may, how far the copy is, when it is done.

Patroni stops the replica, empties its data directory, runs ``pg_basebackup`` against the leader and
starts the copy; when that fails it begins again at every turn of its loop, for ever. So how often
and how long is bounded here (`Watch`).

Reference: Patroni documentation, "Patroni REST API", reinitialize endpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pgha.errors import FailedError, NotFoundError, PghaError, RefusedError
from pgha.patroni.models import Cluster, MemberStatus
from pgha.patroni.waits import ClientFor, not_streaming
from pgha.pg.basebackup import Copy
from pgha.sizes import size_text
from pgha.topology import Node, Topology
from pgha.wait import Pending, poll

CREATING = "creating replica"
"""Patroni's name for the state of a member while it copies (``PostgresqlState``)."""

MOST_COPIES = 3
STALL_S = 900
"""Without one more byte copied or replayed. Crash recovery of a copy is silent, so not less."""
MOST_S = 24 * 3600
INTERVAL_S = 1.0
ROOM_FACTOR = 1.1
"""The leader's databases, and a tenth for the WAL that is written while they are copied."""

CopyOf = Callable[[Node], Copy]
"""What a leader says about a copy that is being made (``pgha.pg.basebackup``)."""


class CopiesFailedError(FailedError):
    """The copy was begun again and again; Patroni would go on with it for ever."""


@dataclass(frozen=True)
class Begun:
    """``leader`` is what is copied; ``before`` when the replica's PostgreSQL had been started.

    ``resumed``: a copy was under way already and nothing was begun.
    """

    leader: str
    before: str | None
    state: str
    resumed: bool = False

    def as_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)


def plan(
    topology: Topology, node: Node, client_for: ClientFor, confirm: str | None = None
) -> Begun:
    """What would be begun; changes nothing.

    Args:
        confirm: the cluster's name, needed when no other replica holds the data.

    Raises:
        RefusedError: with the reason why the node is not built anew.
        UnreachableError: the node's Patroni does not answer.
    """
    cluster = client_for(node).cluster()
    own = _own(client_for, node)
    leader = _leader_to_copy(topology, node, cluster, own)
    if own and own.state == CREATING:
        # Whatever PostgreSQL starts there next is the copy.
        return Begun(leader, None, own.state, resumed=True)
    _refuse_the_last(topology, node, cluster, confirm)
    member = cluster.member(node.name)
    state = member.state if member else "not registered"
    return Begun(leader, own.postmaster_start_time if own else None, state)


def require_room(node: Node, needed: int, free: int, reclaimed: int) -> None:
    """Refuse when the copy would not fit; ``reclaimed`` is what the old data directory gives back.

    Raises:
        RefusedError: with the sizes.
    """
    room, wanted = free + reclaimed, int(needed * ROOM_FACTOR)
    if room < wanted:
        raise RefusedError(
            f"{node.host} has room for {size_text(room)} (its present data included) and the copy "
            f"needs {size_text(wanted)}; make room there and run it again."
        )


def observe(
    topology: Topology, node: Node, client_for: ClientFor, copy_of: CopyOf
) -> dict[str, Any]:
    """How far a node is, JSON-ready; says what it cannot find out instead of raising.

    Keys: node, state, streams (from the leader on its timeline), missing (why it does not),
    timeline, started (of its PostgreSQL), position (WAL replayed, bytes), copied_bytes and
    total_bytes of a copy under way (None when there is none).
    """
    seen: dict[str, Any] = {"node": node.name, "state": "unknown", "streams": False}
    seen |= {"timeline": None, "started": None, "position": None}
    seen |= {"copied_bytes": None, "total_bytes": None}
    try:
        _look(topology, node, client_for, copy_of, seen)
    except PghaError as error:
        seen["missing"] = str(error)
    return seen


def _look(
    topology: Topology, node: Node, client_for: ClientFor, copy_of: CopyOf, seen: dict[str, Any]
) -> None:
    client = client_for(node)
    cluster = client.cluster()
    own = client.member()
    seen |= {"state": own.state, "timeline": own.timeline, "started": own.postmaster_start_time}
    seen["position"] = own.wal_position
    missing = not_streaming(cluster, node.name)
    if own.state != "running" or own.replication_state != "streaming":
        missing = f"{node.name} is {own.state}"
    seen |= {"streams": missing is None, "missing": missing}
    if missing and cluster.leader:
        copy = copy_of(topology.node(cluster.leader.name))
        seen |= {"copied_bytes": copy.copied, "total_bytes": copy.total}


class Watch:
    """Judges one observation after the other.

    Args:
        before: `Begun.before`; only a PostgreSQL started since then is the new copy.
        say: shows how far the copy is, now and then.
    """

    def __init__(
        self,
        before: str | None,
        say: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._before = before
        self._say = say
        self._clock = clock
        self._moved_at = clock()
        self._known: set[Any] = set()
        self._copied: int | None = None
        self._copies = 0
        self._told = -1

    def judge(self, seen: Mapping[str, Any]) -> Mapping[str, Any] | Pending:
        """The observation when the node streams again, else `Pending`.

        Raises:
            CopiesFailedError: the copy has been begun too often.
            FailedError: nothing has moved for a long time.
        """
        if seen["streams"] and seen["started"] != self._before:
            return seen
        self._count(seen)
        self._require_movement(seen)
        self._tell(seen)
        return Pending(seen["missing"] or f"{seen['node']} still runs on its old data")

    def _count(self, seen: Mapping[str, Any]) -> None:
        copied: int | None = seen["copied_bytes"]
        if copied is None:
            return
        if self._copied is None or copied < self._copied:
            self._copies += 1
        self._copied = copied
        if self._copies > MOST_COPIES:
            raise CopiesFailedError(
                f"{seen['node']} has begun {self._copies} copies of the leader and none became a "
                "replica; see `pgha-logs patroni` there."
            )

    def _require_movement(self, seen: Mapping[str, Any]) -> None:
        # What was seen before is no movement: a copy that fails at once goes through the same few
        # states again and again.
        marks = {seen["state"], ("copied", seen["copied_bytes"]), ("replayed", seen["position"])}
        if marks - self._known:
            self._known |= marks
            self._moved_at = self._clock()
        elif self._clock() - self._moved_at > STALL_S:
            raise FailedError(
                f"{seen['node']} ({seen['state']}) has neither copied nor replayed anything new "
                f"for {STALL_S} s; see `pgha-logs patroni` there. Patroni goes on trying; running "
                "this again watches it."
            )

    def _tell(self, seen: Mapping[str, Any]) -> None:
        percent = percent_of(seen["copied_bytes"], seen["total_bytes"])
        if percent is not None and percent // 10 != self._told:
            self._told = percent // 10
            total = size_text(seen["total_bytes"])
            self._say(f"{seen['node']} has copied {percent} % of {total}")


def percent_of(copied: int | None, total: int | None) -> int | None:
    """How much of an estimated total is there; never above 100, as the estimate may be too low."""
    if copied is None or not total:
        return None
    return min(100, copied * 100 // total)


def wait(observation: Callable[[], Mapping[str, Any]], watch: Watch, what: str) -> dict[str, Any]:
    """Observe until the node streams again; raises as `Watch.judge`, and TimedOutError in a day."""
    return dict(
        poll(
            lambda: watch.judge(observation()), deadline_s=MOST_S, interval_s=INTERVAL_S, what=what
        )
    )


def _own(client_for: ClientFor, node: Node) -> MemberStatus | None:
    """The member's own word; a PostgreSQL that hangs is a reason to build it anew, not an error."""
    try:
        return client_for(node).member()
    except PghaError:
        return None


def _leader_to_copy(
    topology: Topology, node: Node, cluster: Cluster, own: MemberStatus | None
) -> str:
    leader = cluster.leader
    if (own and own.role == "primary") or (leader and leader.name == node.name):
        raise RefusedError(
            f"{node.name} ({node.host}) is the leader, and a leader has nobody to copy from; "
            "switch over to another node first (postgres.switchover) and run it again."
        )
    if leader is None or leader.state != "running":
        raise RefusedError(
            f"Cluster {topology.cluster} has no running leader to copy from; `salt-run "
            "postgres.status` shows why. Nothing was changed."
        )
    if cluster.paused:
        raise RefusedError(
            f"Cluster {topology.cluster} is paused, so Patroni would not start the copy; end that "
            "with `patronictl resume` and run it again."
        )
    try:
        return topology.node(leader.name).name
    except NotFoundError as error:
        raise RefusedError(f"The leader {leader.name} is not declared: {error}") from error


def _refuse_the_last(topology: Topology, node: Node, cluster: Cluster, confirm: str | None) -> None:
    others = [
        member.name
        for member in cluster.members
        if member.name != node.name
        and not member.is_leader
        and not_streaming(cluster, member.name) is None
    ]
    if others or confirm == topology.cluster:
        return
    raise RefusedError(
        f"No replica but {node.name} could take over: while it copies, the leader holds the only "
        f"copy of the data. To do it, confirm with the cluster's name: CONFIRM={topology.cluster} "
        f"(make), confirm={topology.cluster} (salt), or pillar "
        f'\'{{"confirm": "{topology.cluster}"}}\'.'
    )
