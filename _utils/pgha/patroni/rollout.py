"""Has every member taken a changed parameter, and which of them must restart for it?

Patroni says which parameters wait for a restart; for all others only PostgreSQL itself can tell,
because a reload leaves no trace in Patroni.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pgha.errors import PghaError, TimedOutError
from pgha.patroni.dynamic import restart_order
from pgha.patroni.models import MemberStatus
from pgha.patroni.settings import as_number, same_value
from pgha.patroni.waits import INTERVAL_S, ClientFor
from pgha.topology import Node, Topology
from pgha.transport import in_parallel
from pgha.wait import Pending, poll

EffectiveOf = Callable[[Node, list[str]], Mapping[str, tuple[str, str | None]]]
"""What a node's PostgreSQL runs with: ``{parameter: (value, unit)}``."""

Reasons = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Rollout:
    """``reasons``: ``{member: {parameter: {"old_value", "new_value"}}}``; ``late``: who is behind.

    ``late`` holds a sentence per member that had not taken the change within the deadline.
    """

    reasons: Reasons = field(default_factory=dict)
    leader: str | None = None
    late: tuple[str, ...] = ()


def pending_restarts(topology: Topology, client_for: ClientFor) -> Rollout:
    """Which members wait for a restart now; members that do not answer are in ``late``."""
    own = _ask_all(topology, client_for)
    return Rollout(
        reasons={
            name: {parameter: dict(change) for parameter, change in found.items()}
            for name, status in own.items()
            if isinstance(status, MemberStatus)
            and (found := status.pending_restart_reason or _unnamed(status))
        },
        leader=next((n for n, s in own.items() if _is_primary(s)), None),
        late=tuple(str(status) for status in own.values() if isinstance(status, PghaError)),
    )


def wait_taken(
    topology: Topology,
    client_for: ClientFor,
    effective_of: EffectiveOf,
    parameters: Mapping[str, Mapping[str, Any]],
    deadline_s: float,
) -> Rollout:
    """Wait until each member runs with the parameters or says that it must restart for them.

    Args:
        parameters: ``{name: {"old", "new"}}`` as `changed_parameters` gives them; a new value of
            None went back to its default, which nobody here knows, so it counts as taken once no
            restart for the old value is pending.

    Never raises for a member that stays behind: the change is in etcd and will reach it.
    """

    def check() -> Rollout | Pending:
        rollout = pending_restarts(topology, client_for)
        behind = _behind(topology, effective_of, parameters, rollout)
        return Pending(" ".join(behind)) if behind else rollout

    try:
        return poll(
            check, deadline_s=deadline_s, interval_s=INTERVAL_S, what="the members to take it"
        )
    except TimedOutError:
        rollout = pending_restarts(topology, client_for)
        late = _behind(topology, effective_of, parameters, rollout)
        return Rollout(rollout.reasons, rollout.leader, tuple(late))


def restart_advice(topology: Topology, rollout: Rollout) -> str:
    """What to run, in order, for the members that wait for a restart; empty when none does."""
    if not rollout.reasons:
        return ""
    parameters = sorted({name for reasons in rollout.reasons.values() for name in reasons})
    order = restart_order(rollout.reasons, rollout.leader)
    first = "leader" if order[0] == rollout.leader and len(order) > 1 else "replicas"
    commands = "; ".join(
        f"`patronictl restart {topology.cluster} {name} --pending`" for name in order
    )
    what = ", ".join(parameters) or "A parameter"
    verb = "need" if len(parameters) > 1 else "needs"
    return (
        f"{what} {verb} a restart of {', '.join(order)}: run on any of the servers, one after "
        f"another and {first} first, {commands}."
    )


def _behind(
    topology: Topology,
    effective_of: EffectiveOf,
    parameters: Mapping[str, Mapping[str, Any]],
    rollout: Rollout,
) -> list[str]:
    def ask(node: Node) -> Callable[[], str | None]:
        pending = rollout.reasons.get(node.name, {})
        stale = [name for name in parameters if _is_stale(parameters[name], pending.get(name))]
        wanted = {
            name: change["new"]
            for name, change in parameters.items()
            if change["new"] is not None and name not in pending
        }
        return lambda: _old(node, stale) or _lag_of(node, effective_of, wanted)

    answers = in_parallel({node.name: ask(node) for node in topology.nodes})
    return [answer for answer in answers.values() if answer]


def _lag_of(node: Node, effective_of: EffectiveOf, wanted: Mapping[str, Any]) -> str | None:
    if not wanted:
        return None
    try:
        effective = effective_of(node, list(wanted))
    except PghaError as err:
        return f"Whether {node.name} has taken the change is unknown: {err}"
    old = [
        name
        for name, value in wanted.items()
        if name in effective and not _is_effective(value, *effective[name])
    ]
    return _old(node, old)


def _old(node: Node, names: list[str]) -> str | None:
    if not names:
        return None
    return f"{node.name} has not taken the new {', '.join(sorted(names))} yet."


def _is_stale(change: Mapping[str, Any], pending: Mapping[str, Any] | None) -> bool:
    """Whether a restart is still announced for a value from before the change."""
    if pending is None or "new_value" not in pending:
        return False
    if change["new"] is None:
        return same_value(pending["new_value"], change["old"])
    return not same_value(pending["new_value"], change["new"])


def _is_effective(declared: object, value: str, unit: str | None) -> bool:
    """Compare a declared value with ``pg_settings``, whose unit may be a multiple (``8kB``)."""
    if unit is None:
        return same_value(declared, value)
    wanted = as_number(declared)
    if wanted is None:
        return str(declared) == value
    if not any(character.isalpha() for character in str(declared)):
        return same_value(declared, value)
    multiple = unit if unit[0].isdigit() else f"1{unit}"
    size, running = as_number(multiple), as_number(value)
    if size is None or running is None:
        return False
    # PostgreSQL rounds to whole multiples of the unit.
    return abs(wanted - running * size) < size


def _ask_all(topology: Topology, client_for: ClientFor) -> dict[str, MemberStatus | PghaError]:
    def ask(node: Node) -> Callable[[], MemberStatus | PghaError]:
        def member() -> MemberStatus | PghaError:
            try:
                return client_for(node).member()
            except PghaError as err:
                return err

        return member

    return in_parallel({node.name: ask(node) for node in topology.nodes})


def _is_primary(status: MemberStatus | PghaError) -> bool:
    return isinstance(status, MemberStatus) and status.role == "primary"


def _unnamed(status: MemberStatus) -> dict[str, dict[str, Any]]:
    return {"a parameter": {}} if status.pending_restart else {}
