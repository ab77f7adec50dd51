"""What each change of the declaration means for a running cluster; pure.

The classes, from harmless to felt: ``none`` and ``reload`` are felt by nobody; ``replica restart``
ends the read-only sessions of one server after the other; ``router restart`` ends the sessions
that go through one server's router, one server after the other; ``switchover`` moves the leader
while the pools hold their clients, and ends read-write sessions that bypass them; ``leader
restart`` does the same without moving it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pgha.roll.moves import lowered

NONE = "none"
RELOAD = "reload"
REPLICA_RESTART = "replica restart"
ROUTER_RESTART = "router restart"
SWITCHOVER = "switchover"
LEADER_RESTART = "leader restart"

ORDER = (NONE, RELOAD, REPLICA_RESTART, ROUTER_RESTART, SWITCHOVER, LEADER_RESTART)

PARAMETER_PREFIX = "postgresql.parameters."
RESTART_CONTEXT = "postmaster"
"""``pg_settings.context`` of what counts only from a start on."""


@dataclass(frozen=True)
class Impact:
    """One change: what it is, its class, and how it is carried out when that is not obvious."""

    what: str
    kind: str
    how: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.kind}" + (f" ({self.how})" if self.how else "")


def of_settings(changes: Mapping[str, Mapping[str, Any]]) -> list[Impact]:
    """The impact of each change of the dynamic configuration.

    Args:
        changes: ``{dotted key: {"old", "new", "context"}}`` as ``postgres_roll.outlook`` returns
            them; ``context`` is None for what is not a parameter of PostgreSQL.
    """
    return [_of_setting(key, change) for key, change in sorted(changes.items())]


def of_pending(
    reasons: Mapping[str, Mapping[str, Mapping[str, Any]]], leader: str | None
) -> list[Impact]:
    """The impact of restarts that members already wait for: ``{member: {parameter: change}}``."""
    changes = {name: change for found in reasons.values() for name, change in found.items()}
    of_leader = reasons.get(leader or "", {})
    return [
        _restart_for(name, change)
        if name in of_leader
        else Impact(_change(name, change), REPLICA_RESTART, "one at a time")
        for name, change in sorted(changes.items())
    ]


def of_stack(component: str, nodes: Iterable[str], leader: str | None) -> Impact:
    """The impact of recreating a component's containers on some nodes."""
    names = list(nodes)
    what = f"containers of {component} on {', '.join(names)}"
    if component == "etcd":
        return Impact(what, NONE, "one member at a time, etcd's leader last")
    if component == "exporter":
        return Impact(what, NONE, "all at once")
    if component == "router":
        return Impact(what, ROUTER_RESTART, "one server at a time")
    if leader in names or leader is None:
        return Impact(what, SWITCHOVER, "replicas one at a time, the former leader last")
    return Impact(what, REPLICA_RESTART, "one at a time")


def of_etcd_files(nodes: Iterable[str]) -> Impact:
    """The impact of files that etcd reads at its start only."""
    how = "one member at a time, etcd's leader last"
    return Impact(f"configuration of etcd on {', '.join(nodes)}", NONE, how)


def _of_setting(key: str, change: Mapping[str, Any]) -> Impact:
    name = key.removeprefix(PARAMETER_PREFIX)
    if name == key:
        return Impact(_words(key, change["old"], change["new"]), NONE)
    if change["context"] != RESTART_CONTEXT:
        return Impact(_words(name, change["old"], change["new"]), RELOAD)
    return _restart_for(name, {"old_value": change["old"], "new_value": change["new"]})


def _restart_for(name: str, change: Mapping[str, Any]) -> Impact:
    what = _change(name, change)
    if lowered({name: change}):
        how = "no replica may be below its leader, which therefore restarts first, in place"
        return Impact(what, LEADER_RESTART, how)
    return Impact(what, SWITCHOVER, "replicas restart one at a time, the former leader last")


def _change(name: str, change: Mapping[str, Any]) -> str:
    return _words(name, change.get("old_value"), change.get("new_value"))


def _words(name: str, old: object, new: object) -> str:
    return f"{name} {_value(old)} -> {_value(new)}"


def _value(value: object) -> str:
    return "default" if value is None else str(value)
