"""What a deploy must know of a member before it changes anything: what would change, what waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pgha.errors import PghaError
from pgha.patroni.client import PatroniClient
from pgha.patroni.dynamic import changed_parameters, plan_config
from pgha.patroni.status import node_status
from pgha.topology import Node, Topology

ContextsOf = Callable[[Node, list[str]], Mapping[str, tuple[str, str]]]
"""``{parameter: (present value, pg_settings.context)}`` of a node's PostgreSQL."""


def outlook(
    topology: Topology,
    node: Node,
    client: PatroniClient,
    declared: Mapping[str, Any],
    contexts_of: ContextsOf,
) -> dict[str, Any]:
    """Never raises: before the first deploy nobody answers, and that is fine.

    Keys: leader (a member's name), pending (``{parameter: {"old_value", "new_value"}}`` that this
    node's PostgreSQL must restart for), changes (``{dotted key: {"old", "new", "context"}}`` that
    the dynamic configuration needs; see `pgha.roll.impact.of_settings`), version (text such as
    ``16.14``), error.
    """
    seen: dict[str, Any] = {"leader": None, "pending": {}, "changes": {}}
    seen |= {"version": None, "error": None}
    try:
        brief = node_status(topology, node, client)
        seen |= {"leader": brief["leader"], "pending": brief["pending_restart_reason"]}
        seen["version"] = brief["postgresql_version"]
        changes = plan_config(client.config(), declared).changes
        seen["changes"] = _with_contexts(node, changes, contexts_of)
    except PghaError as error:
        seen["error"] = str(error)
    return seen


def _with_contexts(
    node: Node, changes: Mapping[str, dict[str, Any]], contexts_of: ContextsOf
) -> dict[str, dict[str, Any]]:
    names = list(changed_parameters(changes))
    known = contexts_of(node, names) if names else {}
    return {key: _with_context(key, change, known) for key, change in changes.items()}


def _with_context(
    key: str, change: dict[str, Any], known: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    present, context = known.get(key.rpartition(".")[2], (None, None))
    # What was never declared runs with its default; only PostgreSQL knows which that is.
    old = present if change["old"] is None else change["old"]
    return {**change, "old": old, "context": context}
