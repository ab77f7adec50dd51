"""Desired stacks against observed services: what has to be done, decided without any request.

A stack's identity is its name, `<cluster>-<node>-<component>`; Coolify does not keep names unique,
so two services of one name are a question for a human. What we last stored is remembered as a mark
in the service's description, because Coolify rewrites the compose text itself (contract 3.1).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import yaml

from pgha.coolify.models import Server, Service
from pgha.topology import Node, Topology

# Components with a stack of their own, in the order in which they may be started.
COMPONENTS = ("etcd", "patroni", "router", "exporter")
_PENDING = " recreate pending"
_MARK = re.compile(r"pgha (\S+) sha256[=:]([0-9a-f]{16})( recreate pending)?")


@dataclass(frozen=True)
class Mark:
    """The description of a stack of ours: whose it is and which compose text is stored.

    Written `pgha <cluster> sha256=<16 hex>`; "=" because Coolify's form refuses descriptions with
    a colon (its ValidationPatterns), so nobody could save the page. ` recreate pending` follows
    when the running containers are older than the stored text.
    """

    cluster: str
    digest: str
    recreate_pending: bool = False

    def __str__(self) -> str:
        pending = _PENDING if self.recreate_pending else ""
        return f"pgha {self.cluster} sha256={self.digest}{pending}"

    @classmethod
    def of(cls, description: str) -> Mark | None:
        found = _MARK.fullmatch(description.strip())
        if found is None:
            return None
        return cls(found.group(1), found.group(2), found.group(3) is not None)


def digest_of(compose: str) -> str:
    """First 16 hex digits of the SHA-256 of a compose text."""
    return hashlib.sha256(compose.encode()).hexdigest()[:16]


def stack_name(cluster: str, node: str, component: str) -> str:
    return f"{cluster}-{node}-{component}"


@dataclass(frozen=True)
class DesiredStack:
    """One stack as declared: its name, where it belongs, and its compose text."""

    cluster: str
    name: str
    server: Server
    compose: str = field(repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self.compose)

    @property
    def parts(self) -> frozenset[str]:
        return frozenset(yaml.safe_load(self.compose)["services"])

    def mark(self, *, recreate_pending: bool = False) -> Mark:
        return Mark(self.cluster, self.digest, recreate_pending)


class Action(str, Enum):
    """What a stack needs before it can be started."""

    CREATE = "create"
    REPLACE = "replace"
    UPDATE = "update"
    NOTHING = "nothing"


@dataclass(frozen=True)
class StackPlan:
    """One stack, what is there now, and what to do."""

    desired: DesiredStack
    observed: Service | None
    action: Action

    @property
    def change(self) -> dict[str, str | None]:
        return {"old": self._stored, "new": f"sha256={self.desired.digest}"}

    @property
    def recreate_pending(self) -> bool:
        mark = Mark.of(self.observed.description) if self.observed else None
        return mark is not None and mark.recreate_pending

    @property
    def _stored(self) -> str | None:
        if self.observed is None:
            return None
        mark = Mark.of(self.observed.description)
        if mark is None:
            return "not ours yet"
        if mark.digest == self.desired.digest:
            where = "on the wrong server" if self.action is Action.REPLACE else "incomplete"
            return f"sha256={mark.digest} ({where})"
        return f"sha256={mark.digest}"


@dataclass(frozen=True)
class Plan:
    """All stacks in the order of the desired ones, and every problem that forbids acting."""

    stacks: tuple[StackPlan, ...]
    problems: tuple[str, ...]


def wanted_names(
    topology: Topology, components: Sequence[str], nodes: Sequence[Node]
) -> list[tuple[Node, str]]:
    """Node and component of every stack, component by component."""
    chosen = {node.name for node in nodes}
    return [
        (node, component)
        for component in COMPONENTS
        if component in components
        for node in topology.nodes_with(component)
        if node.name in chosen
    ]


def plan_stacks(
    desired: Sequence[DesiredStack], services: Iterable[Service], servers: Sequence[Server]
) -> Plan:
    """Compare; pure. `services` are all of the cluster's environment, foreign ones included."""
    by_name: Mapping[str, list[Service]] = defaultdict(list)
    for service in services:
        by_name[service.name].append(service)
    stacks: list[StackPlan] = []
    problems: list[str] = []
    for stack in desired:
        rows = by_name.get(stack.name, [])
        problem = _problem(stack, rows, servers)
        if problem is not None:
            problems.append(problem)
        else:
            stacks.append(_planned(stack, rows[0] if rows else None))
    return Plan(tuple(stacks), tuple(problems))


def _planned(stack: DesiredStack, row: Service | None) -> StackPlan:
    return StackPlan(stack, row, _action(stack, row))


def _action(stack: DesiredStack, row: Service | None) -> Action:
    if row is None:
        return Action.CREATE
    if not row.runs_on(stack.server):
        return Action.REPLACE
    mark = Mark.of(row.description)
    if mark is None or mark.digest != stack.digest:
        return Action.UPDATE
    # A create that died in Coolify's parser leaves the row without its parts; storing the text
    # again makes Coolify parse it again (contract 2.5, 2.7).
    if row.part_names is not None and not stack.parts <= row.part_names:
        return Action.UPDATE
    return Action.NOTHING


def _problem(stack: DesiredStack, rows: Sequence[Service], servers: Sequence[Server]) -> str | None:
    if len(rows) > 1:
        uuids = " and ".join(sorted(row.uuid for row in rows))
        return (
            f"Coolify has {len(rows)} services named {stack.name} ({uuids}): find out which one "
            f"runs ('docker ps' on {stack.server.name} shows the uuid at the end of the container "
            "names) and delete the others in Coolify, without deleting volumes."
        )
    if not rows:
        return None
    row = rows[0]
    mark = Mark.of(row.description)
    if mark is not None and mark.cluster != stack.cluster:
        return (
            f"Coolify's service {stack.name} ({row.uuid}) belongs to cluster {mark.cluster}: "
            f"rename cluster {stack.cluster} or its node."
        )
    if not row.runs_on(stack.server) and row.ever_started:
        return (
            f"Coolify runs {stack.name} ({row.uuid}) on server {_server_of(row, servers)}, but it "
            f"belongs on {stack.server.name} ({stack.server.ip}): correct the pillar, or delete "
            "that service in Coolify once its node has moved."
        )
    return None


def _server_of(row: Service, servers: Sequence[Server]) -> str:
    for server in servers:
        if row.runs_on(server):
            return f"{server.name} ({server.ip})"
    return row.server_name or "unknown"
