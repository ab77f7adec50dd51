"""What one deploy knows while it runs: the declared cluster and the one look at everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pgha.deploy.fleet import values
from pgha.errors import FailedError
from pgha.operate.operation import Operation
from pgha.render.compose import stack_containers, stack_name
from pgha.topology import Node


@dataclass
class Deployment(Operation):
    """One run of ``postgres.deploy`` (or of its ``test=True`` plan).

    Attributes:
        facts: :func:`pgha.node.facts.gather` per minion id, filled by the check.
        survey: ``coolify.survey`` of the controller, filled by the check.
        started: stacks that this run has started; the look at the servers was before that.
        outlook: ``postgres_roll.outlook`` per minion id, filled by the check.
        leader: name of the leader when it was last looked for.
        pending: stacks whose containers are older than the text that Coolify holds.
        stale: names of the nodes whose etcd must restart for its files.
        restarts: whether members may wait for a restart, so that they must be asked.
        keep: what must live as long as the run, such as its lock.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    survey: dict[str, Any] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    outlook: dict[str, Any] = field(default_factory=dict)
    leader: str | None = None
    pending: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    restarts: bool = False
    keep: list[object] = field(default_factory=list)

    def is_live(self, node: Node, component: str) -> bool:
        """Whether Docker on that server showed the stack running: all its containers.

        Of Patroni's, Patroni itself: a start would recreate it too, which is for a roll to do.
        """
        wanted = ("patroni",) if component == "patroni" else stack_containers(component)
        states = self.live_states(node, component)
        return all(states.get(service) == "running" for service in wanted)

    def limps(self, node: Node, component: str) -> bool:
        """Whether the stack runs, but one of its lesser containers does not."""
        states = self.live_states(node, component)
        wanted = stack_containers(component)
        return self.is_live(node, component) and any(
            states.get(service) != "running" for service in wanted
        )

    def live_states(self, node: Node, component: str) -> Mapping[str, str]:
        """``{service: state}`` of a stack's containers when the servers were looked at."""
        stacks: Mapping[str, Any] = self.facts[node.host]["stacks"]
        found: Mapping[str, str] = stacks.get(stack_name(self.topology, node, component), {})
        return found

    def forget(self, node: Node, component: str) -> None:
        """What was seen of a stack no longer holds: it was stopped and is to be started."""
        self.facts[node.host]["stacks"][stack_name(self.topology, node, component)] = {}

    def has_data(self, node: Node, part: str) -> bool:
        """Whether ``etcd`` or ``postgresql`` had data there when the servers were looked at."""
        found: bool = self.facts[node.host]["data"][part]
        return found

    def needs_work(self, nodes: Iterable[Node], component: str) -> list[Node]:
        """Nodes whose stack is missing in Coolify, outdated there, or not running on the server."""
        stacks = self.survey["stacks"]
        return [
            node
            for node in nodes
            if (name := stack_name(self.topology, node, component)) not in self.started
            and not (self.is_live(node, component) and stacks.get(name, {}).get("current"))
        ]

    def awaiting(self, nodes: Iterable[Node], component: str) -> list[Node]:
        """Nodes whose running stack is older than the text that Coolify holds."""
        return [
            node for node in nodes if stack_name(self.topology, node, component) in self.pending
        ]

    def converge_stacks(
        self, nodes: Sequence[Node], component: str, *, recreate: bool = False
    ) -> dict[str, Any]:
        """Let the controller create, update and start the stacks that need it; return the changes.

        No request reaches Coolify when every stack is current and runs.

        Args:
            nodes: whose stacks.
            component: which stack of theirs.
            recreate: recreate the containers of a running stack whose text has changed, at once.
        """
        work = self.needs_work(nodes, component)
        if recreate:
            work += [node for node in self.awaiting(nodes, component) if node not in work]
        if not work:
            return {}
        stopped = [
            stack_name(self.topology, node, component)
            for node in work
            if not self.is_live(node, component)
        ]
        answer = self.ask_one(
            self.controller,
            "coolify.converge",
            components=[component],
            nodes=[node.name for node in work],
            not_running=stopped,
            apply_changes=recreate,
            test=self.test,
            timeout_s=60,
        )
        # Starting one again would recreate its containers: a new leader would fall over at once.
        self.started |= {stack_name(self.topology, node, component) for node in work}
        self.pending |= set(answer["pending_recreate"])
        self.pending -= set(answer["recreated"])
        return _stack_changes(answer)


def _stack_changes(answer: Mapping[str, Any]) -> dict[str, Any]:
    changes = dict(answer["changes"])
    for stack in answer["recreated"]:
        changes.setdefault(stack, {"old": "old containers", "new": "recreated"})
    for stack in answer["started"]:
        changes.setdefault(stack, {"old": "not running", "new": "started"})
    return changes


def single_state(
    deployment: Deployment, minion: str, function: str, **keywords: Any
) -> dict[str, Any]:
    """Run one state on one minion and return its changes; raises FailedError with its comment."""
    answer = deployment.fleet.ask(
        [minion], "state.single", function, test=deployment.test, queue=True, timeout_s=120,
        **keywords,
    )  # fmt: skip
    (state,) = values(answer)[minion].values()
    if state["result"] is False:
        raise FailedError(f"{minion}: {state['comment']}")
    changes: dict[str, Any] = state["changes"]
    return changes
