"""The dynamic configuration: what differs from the declaration and which patch removes that.

Below ``postgresql.parameters`` the declaration is complete: what is there and not declared is
drift and is removed. Everywhere else only declared keys are looked at, because Patroni and its
operators keep others there (``pause``, ``slots``, ``standby_cluster``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pgha.errors import ConflictError, TimedOutError
from pgha.patroni.client import PatroniClient
from pgha.patroni.settings import as_number, same_value
from pgha.wait import Pending, poll

PATCH_ATTEMPTS = 3
SEEN_S = 20.0
"""``GET /config`` answers what Patroni read at the begin of its loop, which the patch wakes; a loop
that just reloads its PostgreSQL answers the old configuration for seconds (seen with 4.1)."""
COMPLETE = ("postgresql", "parameters")

# PostgreSQL refuses to start a standby whose value is below its primary's; Patroni therefore keeps
# the old value on replicas until the leader has restarted with the smaller one.
# https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN
LEADER_FIRST_WHEN_LOWERED = (
    "max_connections",
    "max_prepared_transactions",
    "max_locks_per_transaction",
    "max_wal_senders",
    "max_worker_processes",
)


@dataclass
class ConfigPlan:
    """``changes`` is ``{dotted key: {"old", "new"}}``; ``patch`` is the body of PATCH /config."""

    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    patch: dict[str, Any] = field(default_factory=dict)


def plan_config(observed: Mapping[str, Any], declared: Mapping[str, Any]) -> ConfigPlan:
    """Compare the configuration in etcd with the declared one, where None means absent."""
    plan = ConfigPlan()
    plan.patch = _compare(observed, declared, (), plan.changes)
    return plan


def apply_config(client: PatroniClient, declared: Mapping[str, Any]) -> ConfigPlan:
    """Bring the configuration to the declared one; returns the plan that was carried out.

    Plans again, up to three times, when somebody else changed the configuration in between.

    Raises:
        ConflictError: it kept changing.
    """
    for _ in range(PATCH_ATTEMPTS - 1):
        with suppress(ConflictError):
            return _apply_once(client, declared)
    return _apply_once(client, declared)


def _apply_once(client: PatroniClient, declared: Mapping[str, Any]) -> ConfigPlan:
    plan = plan_config(client.config(), declared)
    if plan.patch:
        client.patch_config(plan.patch)
        # Who looks next names what still differs.
        with suppress(TimedOutError):
            poll(
                lambda: _seen(client, declared), deadline_s=SEEN_S, interval_s=0.1,
                what="Patroni to see its new configuration",
            )  # fmt: skip
    return plan


def _seen(client: PatroniClient, declared: Mapping[str, Any]) -> bool | Pending:
    left = plan_config(client.config(), declared).changes
    return Pending(", ".join(sorted(left))) if left else True


def changed_parameters(changes: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The PostgreSQL parameters among the changes of a plan: ``{name: {"old", "new"}}``."""
    prefix = ".".join(COMPLETE) + "."
    return {
        key.removeprefix(prefix): change
        for key, change in changes.items()
        if key.startswith(prefix)
    }


def restart_order(
    reasons: Mapping[str, Mapping[str, Mapping[str, Any]]], leader: str | None
) -> list[str]:
    """The order in which members with a pending restart should restart.

    Args:
        reasons: ``{member: {parameter: {"old_value", "new_value"}}}`` as Patroni reports it.
        leader: the leader's name.

    Replicas first, so that a leader with raised limits never outruns its replicas; the leader
    first when one of the limits that replicas must not undercut is lowered.
    """
    lowered = any(
        name in LEADER_FIRST_WHEN_LOWERED and _lowered(change)
        for changes in reasons.values()
        for name, change in changes.items()
    )
    replicas = sorted(name for name in reasons if name != leader)
    leaders = [name for name in reasons if name == leader]
    return [*leaders, *replicas] if lowered else [*replicas, *leaders]


def _lowered(change: Mapping[str, Any]) -> bool:
    old, new = as_number(change.get("old_value")), as_number(change.get("new_value"))
    return old is not None and new is not None and new < old


def _compare(
    observed: Mapping[str, Any],
    declared: Mapping[str, Any],
    path: tuple[str, ...],
    changes: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for key, wanted in declared.items():
        part = _compare_key(observed.get(key), wanted, (*path, key), changes)
        if part is not _SAME:
            patch[key] = part
    if path == COMPLETE:
        for key in observed.keys() - declared.keys():
            patch[key] = None
            changes[".".join((*path, key))] = {"old": observed[key], "new": None}
    return patch


class _Same:
    """Marks a key that needs no patch; None cannot, because it removes the key."""


_SAME = _Same()


def _compare_key(
    found: Any, wanted: Any, path: tuple[str, ...], changes: dict[str, dict[str, Any]]
) -> Any:
    if isinstance(wanted, Mapping):
        inner = found if isinstance(found, Mapping) else {}
        part = _compare(inner, wanted, path, changes)
        return part if part else _SAME
    if same_value(found, wanted):
        return _SAME
    changes[".".join(path)] = {"old": found, "new": wanted}
    return wanted
