"""In which order members are touched so that one of them always takes writes; pure.

Replicas one at a time, then a switchover, the former leader last. Only settings that no replica may
undercut go the other way when they are lowered: whoever leads must restart with the smaller value
first, and because no replica can start with it before, a switchover does not help; the leader then
restarts in place while the pools hold their clients.

References: https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN and Patroni's
"Important notes on PostgreSQL parameters": a standby keeps the value of ``pg_control`` until its
leader has written the smaller one there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from pgha.patroni.dynamic import LEADER_FIRST_WHEN_LOWERED
from pgha.patroni.settings import as_number

Reasons = Mapping[str, Mapping[str, Any]]
"""``{parameter: {"old_value", "new_value"}}`` as Patroni reports it."""


@dataclass(frozen=True)
class Member:
    """A member as it is: whether it leads, what it must restart for, whether its containers run
    from an older compose text than the stored one."""

    name: str
    leads: bool = False
    reasons: Reasons = field(default_factory=dict)
    recreate: bool = False

    @property
    def is_due(self) -> bool:
        return bool(self.reasons) or self.recreate


class Kind(str, Enum):
    """What is done to a member; the value reads after its name."""

    RESTART = "restarts"
    RESTART_LEADER = "restarts as leader while the pools hold their clients"
    RECREATE = "is recreated"
    SWITCHOVER = "hands over to a replica and starts again as one"


@dataclass(frozen=True)
class Move:
    """One step of a roll; ``why`` are the parameters that it is made for."""

    kind: Kind
    name: str
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.kind.value}"


def next_move(members: Sequence[Member]) -> Move | None:
    """What to do next, None when nobody is due.

    Args:
        members: all of them, in the order in which replicas are to be touched.
    """
    leader = next((member for member in members if member.leads), None)
    replicas = [member for member in members if not member.leads]
    if leader and lowered(leader.reasons):
        return _before_a_lowered_leader(leader, replicas)
    for replica in replicas:
        if replica.is_due:
            return _touch(replica)
    if leader and leader.is_due:
        return Move(Kind.SWITCHOVER, leader.name, tuple(sorted(leader.reasons)))
    return None


def all_moves(members: Sequence[Member]) -> list[Move]:
    """The whole way, if every move does what it should; what an operator is shown beforehand."""
    moves: list[Move] = []
    present = list(members)
    while move := next_move(present):
        if move in moves:
            break
        moves.append(move)
        present = _after(move, present)
    return moves


def lowered(reasons: Reasons) -> list[str]:
    """The parameters among the reasons that the leader must lower first."""
    return [name for name, change in reasons.items() if _sign(name, change) < 0]


def _before_a_lowered_leader(leader: Member, replicas: Sequence[Member]) -> Move:
    # A leader that restarts takes its raised limits with it, and replicas may not be below those.
    for replica in replicas:
        if any(_sign(name, change) > 0 for name, change in replica.reasons.items()):
            return Move(Kind.RESTART, replica.name, tuple(sorted(replica.reasons)))
    return Move(Kind.RESTART_LEADER, leader.name, tuple(sorted(leader.reasons)))


def _touch(member: Member) -> Move:
    # New containers start PostgreSQL anew, so they settle a pending restart as well.
    kind = Kind.RECREATE if member.recreate else Kind.RESTART
    return Move(kind, member.name, tuple(sorted(member.reasons)))


def _sign(name: str, change: Mapping[str, Any]) -> int:
    """1 when one of the limits that replicas may not undercut is raised, -1 lowered, else 0."""
    old, new = as_number(change.get("old_value")), as_number(change.get("new_value"))
    if name not in LEADER_FIRST_WHEN_LOWERED or old is None or new is None:
        return 0
    return (new > old) - (new < old)


def _after(move: Move, members: Sequence[Member]) -> list[Member]:
    if move.kind is Kind.SWITCHOVER:
        return _handed_over(members)
    leader = next((member for member in members if member.leads), None)
    kept = set(lowered(leader.reasons)) if leader and move.kind is Kind.RESTART else set()
    return [
        _settled(member, kept, move.kind) if member.name == move.name else member
        for member in members
    ]


def _settled(member: Member, kept: set[str], kind: Kind) -> Member:
    left = {name: change for name, change in member.reasons.items() if name in kept}
    return replace(member, reasons=left, recreate=member.recreate and kind is not Kind.RECREATE)


def _handed_over(members: Sequence[Member]) -> list[Member]:
    heir = next((member.name for member in members if not member.leads), None)
    # Patroni demotes a leader by restarting it as a replica, which settles what it waited for.
    return [
        replace(member, leads=member.name == heir, reasons={} if member.leads else member.reasons)
        for member in members
    ]
