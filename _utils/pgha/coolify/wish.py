"""What a run of `pgha.coolify.converge` is asked for, and what it tells afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pgha.coolify.ground import chosen_components, chosen_nodes
from pgha.coolify.stacks import COMPONENTS, stack_name, wanted_names
from pgha.errors import NotFoundError
from pgha.topology import Node, Topology


@dataclass(frozen=True)
class Wish:
    """What a run covers.

    `not_running`: stacks whose containers do not run now, as seen by Docker on the servers.
    `apply_changes`: recreate the containers of running stacks whose compose text has changed.
    `test`: change nothing, report what would be done.
    """

    components: tuple[str, ...]
    nodes: tuple[Node, ...]
    not_running: frozenset[str] = frozenset()
    apply_changes: bool = False
    test: bool = False


@dataclass
class Outcome:
    """What a run did, or would do under `test`.

    `changes`: `{thing: {"old", "new"}}` of what is stored. `started` and `recreated`: starts that
    Coolify has queued. `already_starting`: left alone because a start job is at work.
    `pending_recreate`: running, but from an older compose text than the stored one.
    """

    changes: dict[str, Mapping[str, str | None]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    recreated: list[str] = field(default_factory=list)
    already_starting: list[str] = field(default_factory=list)
    pending_recreate: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def as_dict(self, requests: int) -> dict[str, Any]:
        """All of it, and the number of requests it took."""
        return {**self.__dict__, "requests": requests}


def wish(
    topology: Topology,
    *,
    components: Sequence[str] | None = None,
    nodes: Sequence[str] | None = None,
    not_running: Sequence[str] = (),
    apply_changes: bool = False,
    test: bool = False,
) -> Wish:
    """Check the operator's words; empty `components` or `nodes` mean all.

    Raises:
        NotFoundError: an unknown component, node, or stack in `not_running`.
    """
    known = {
        stack_name(topology.cluster, node.name, component)
        for node, component in wanted_names(topology, COMPONENTS, topology.nodes)
    }
    for name in not_running:
        if name not in known:
            raise NotFoundError(
                f"'{name}' is not a stack of cluster {topology.cluster}; those are named "
                "<cluster>-<node>-<component>."
            )
    return Wish(
        chosen_components(components),
        chosen_nodes(topology, nodes),
        frozenset(not_running),
        apply_changes,
        test,
    )
