"""Pre-flight: would a deploy get through Coolify? Finds every problem before anything is touched.

Requests: version, servers, projects, environment, two ability checks, and one per server that is
to receive a new stack (its destinations); a few more when Coolify has to look at a server again.
Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pgha.coolify import ground as reading
from pgha.coolify.answers import NEEDED_ABILITIES, TOKEN_ADVICE, MissingAbilityError
from pgha.coolify.client import CoolifyClient
from pgha.coolify.destinations import choose_destination
from pgha.coolify.ground import ComposeOf, Ground
from pgha.coolify.pace import Pace
from pgha.coolify.stacks import COMPONENTS, Action, Mark, Plan, StackPlan
from pgha.errors import PghaError
from pgha.topology import Topology

_Value = TypeVar("_Value")


@dataclass
class _Findings:
    """Collects problems; a missing ability does not end the survey, the others do."""

    problems: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    over: bool = False

    def ask(self, question: Callable[[], _Value]) -> _Value | None:
        """The answer, None (and a note) when there is none."""
        if self.over:
            return None
        try:
            return question()
        except MissingAbilityError as error:
            self.missing.add(error.ability)
        except PghaError as error:
            self.problems.append(str(error))
            self.over = True
        return None


def survey(
    client: CoolifyClient, topology: Topology, compose_of: ComposeOf, pace: Pace | None = None
) -> dict[str, Any]:
    """Look at everything a deploy needs of Coolify.

    Returns:
        `{"version": str | None,
        "servers": {node: {"uuid", "name", "reachable", "usable", "nightly_cleanup"}},
        "project_uuid": str | None, "environment_uuid": str | None,
        "stacks": {name: {"uuid", "status", "hash", "current", "recreate_pending"}},
        "problems": [sentence, ...], "advice": [sentence, ...], "requests": int}`.
        `current` is true when converging would not touch what is stored of that stack;
        `problems` forbid a deploy, `advice` does not. Never raises for what Coolify answers.
    """
    findings = _Findings()
    version = findings.ask(client.version)
    ground = findings.ask(
        lambda: reading.read_ground(client, topology, topology.nodes, pace or Pace())
    )
    if not findings.over:
        _check_abilities(client, findings, ground)
    plan = None
    if ground is not None:
        plan = reading.plan_for(ground, topology, COMPONENTS, topology.nodes, compose_of)
        findings.problems.extend([*ground.matched.problems, *plan.problems])
        findings.problems.extend(_destination_problems(client, plan, findings))
    _add_version(findings, version, client.url)
    _add_abilities(findings, client.url)
    advice = reading.version_advice(version, client.url) if version else None
    return {
        "version": version,
        **_described(ground),
        "stacks": _stacks(plan),
        "problems": findings.problems,
        "advice": [advice] if advice else [],
        "requests": client.requests,
    }


def _check_abilities(client: CoolifyClient, findings: _Findings, ground: Ground | None) -> None:
    for ability in ("write", "deploy"):
        if findings.ask(lambda ability=ability: client.may(ability)) is False:  # type: ignore[misc]
            findings.missing.add(ability)
    if ground and ground.servers and not any(server.shows_sensitive for server in ground.servers):
        findings.missing.add("read:sensitive")


def _add_abilities(findings: _Findings, url: str) -> None:
    if findings.missing:
        names = ", ".join(name for name in NEEDED_ABILITIES if name in findings.missing)
        findings.problems.append(
            f"The token for Coolify at {url} lacks the abilities {names}: {TOKEN_ADVICE}."
        )


def _add_version(findings: _Findings, version: str | None, url: str) -> None:
    problem = reading.version_problem(version, url) if version else None
    if problem:
        findings.problems.insert(0, problem)


def _destination_problems(client: CoolifyClient, plan: Plan, findings: _Findings) -> list[str]:
    to_create = (Action.CREATE, Action.REPLACE)
    servers = {
        stack.desired.server.uuid: stack.desired.server
        for stack in plan.stacks
        if stack.action in to_create
    }
    problems: list[str] = []
    for server in servers.values():
        destinations = findings.ask(lambda server=server: client.destinations(server.uuid))  # type: ignore[misc]
        if destinations is not None:
            problem = choose_destination(server, destinations).problem
            problems.extend([problem] if problem else [])
    return problems


def _described(ground: Ground | None) -> dict[str, Any]:
    if ground is None:
        return {"servers": {}, "project_uuid": None, "environment_uuid": None}
    return {
        "servers": {
            node: {
                "uuid": server.uuid,
                "name": server.name,
                "reachable": server.reachable,
                "usable": server.usable,
                "nightly_cleanup": server.nightly_cleanup,
            }
            for node, server in ground.matched.of_node.items()
        },
        "project_uuid": ground.project.uuid if ground.project else None,
        "environment_uuid": ground.environment.uuid if ground.environment else None,
    }


def _stacks(plan: Plan | None) -> dict[str, dict[str, Any]]:
    return {stack.desired.name: _stack(stack) for stack in plan.stacks} if plan else {}


def _stack(stack: StackPlan) -> dict[str, Any]:
    row = stack.observed
    mark = Mark.of(row.description) if row else None
    return {
        "uuid": row.uuid if row else None,
        "status": row.status if row else None,
        "hash": mark.digest if mark else None,
        "current": stack.action is Action.NOTHING,
        "recreate_pending": stack.recreate_pending,
    }
