"""Make Coolify hold the cluster's stacks, and start those that do not run.

A run that finds everything in place makes four requests. Whether a stack's containers run is the
caller's knowledge (Coolify's status is up to minutes old): `not_running` names those that do not,
and nothing else that already exists is ever started.
"""

from __future__ import annotations

from pgha.coolify import ground as reading
from pgha.coolify.cleanup import switch_off
from pgha.coolify.client import CoolifyClient
from pgha.coolify.creating import (
    Place,
    create_stack,
    ensure_environment,
    ensure_project,
    replace_stack,
)
from pgha.coolify.ground import ComposeOf, Ground
from pgha.coolify.models import Project
from pgha.coolify.pace import Pace
from pgha.coolify.stacks import (
    Action,
    DesiredStack,
    Plan,
    StackPlan,
    plan_stacks,
)
from pgha.coolify.starting import Startable, start_stacks
from pgha.coolify.wish import Outcome, Wish
from pgha.errors import FailedError
from pgha.topology import Topology


def converge(
    client: CoolifyClient,
    topology: Topology,
    wanted: Wish,
    compose_of: ComposeOf,
    pace: Pace | None = None,
) -> Outcome:
    """Read, compare, refuse on any problem, then act.

    Raises:
        FailedError: problems found before anything was changed (all of them), or starts that
            Coolify refused.
    """
    version = client.version()
    ground = reading.read_ground(client, topology, wanted.nodes)
    plan = reading.plan_for(ground, topology, wanted.components, wanted.nodes, compose_of)
    _refuse_on_problems(client, topology, version, ground, plan)
    run = _Run(client, topology, wanted, pace or Pace())
    run.outcome.advice.extend(filter(None, [reading.version_advice(version, client.url)]))
    run.switch_cleanup_off(ground)
    run.store(ground, plan)
    run.start(plan)
    return run.outcome


def store_one(
    client: CoolifyClient,
    topology: Topology,
    *,
    name: str,
    server: str,
    compose: str,
    apply_changes: bool = False,
    test: bool = False,
) -> Outcome:
    """Store one stack of any name in the cluster's environment; a new one is not started.

    Args:
        server: name, address or uuid of a server as Coolify knows it.
        apply_changes: recreate the containers when the text of an existing stack has changed.

    Raises:
        NotFoundError: Coolify has no such server.
        FailedError: several services have the name, or it runs on another server.
    """
    ground = reading.read_ground(client, topology, ())
    desired = DesiredStack(
        topology.cluster, name, reading.only_server(ground.servers, server, client.url), compose
    )
    services = ground.environment.services if ground.environment else ()
    plan = plan_stacks([desired], services, ground.servers)
    if plan.problems:
        raise FailedError(plan.problems[0])
    run = _Run(client, topology, Wish((), (), frozenset(), apply_changes, test), Pace())
    run.store(ground, plan)
    return run.outcome


def _refuse_on_problems(
    client: CoolifyClient, topology: Topology, version: str, ground: Ground, plan: Plan
) -> None:
    too_old = reading.version_problem(version, client.url)
    problems = [*([too_old] if too_old else []), *ground.matched.problems, *plan.problems]
    if len(problems) == 1:
        raise FailedError(problems[0])
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        raise FailedError(
            f"Coolify is not ready for cluster {topology.cluster}; nothing was changed:{lines}"
        )


class _Run:
    """One converge run: the wish, the client and what has been done so far."""

    def __init__(self, client: CoolifyClient, topology: Topology, wanted: Wish, pace: Pace) -> None:
        self._client = client
        self._topology = topology
        self._wanted = wanted
        self._pace = pace
        self._uuids: dict[str, str] = {}
        self.outcome = Outcome()

    def switch_cleanup_off(self, ground: Ground) -> None:
        done = switch_off(self._client, ground.matched.of_node.values(), test=self._wanted.test)
        self.outcome.changes.update(done.changes)
        self.outcome.advice.extend(done.advice)

    def store(self, ground: Ground, plan: Plan) -> None:
        place = self._place(ground)
        for stack in plan.stacks:
            self._store(place, stack)

    def _place(self, ground: Ground) -> Place:
        """Project and environment, created when missing (not under `test`)."""
        settings = self._topology.coolify
        project, environment = ground.project, ground.environment
        if project is None:
            self._changed(f"project {settings.project}", None, settings.project)
        if self._wanted.test:
            automatic = project is None and settings.environment == "production"
            if environment is None and not automatic:
                self._environment_changed()
            return Place(project or Project("", settings.project), settings.environment)
        project = project or ensure_project(self._client, self._topology)
        if environment is None:
            _, created = ensure_environment(self._client, project, settings.environment)
            if created:
                self._environment_changed()
        return Place(project, settings.environment)

    def _store(self, place: Place, stack: StackPlan) -> None:
        name = stack.desired.name
        if stack.observed is not None:
            self._uuids[name] = stack.observed.uuid
        if stack.action is not Action.NOTHING:
            self.outcome.changes[name] = stack.change
        if stack.action in (Action.CREATE, Action.REPLACE):
            self._create(place, stack)
        elif stack.action is Action.UPDATE or stack.recreate_pending:
            self._update(stack)

    def _create(self, place: Place, stack: StackPlan) -> None:
        if self._wanted.test:
            return
        if stack.action is Action.REPLACE and stack.observed is not None:
            uuid = replace_stack(self._client, place, stack.desired, stack.observed, self._pace)
        else:
            uuid = create_stack(self._client, place, stack.desired, self._pace)
        self._uuids[stack.desired.name] = uuid

    def _update(self, stack: StackPlan) -> None:
        """Store a changed text, and say or do what the running containers then need."""
        if stack.desired.name in self._wanted.not_running:
            self._write(stack, pending=False)
        elif self._wanted.apply_changes:
            self.outcome.recreated.append(stack.desired.name)
            # In two steps: should the first fail in Coolify, the mark still says what is due.
            self._write(stack, pending=True)
            self._recreate(stack)
        else:
            self.outcome.pending_recreate.append(stack.desired.name)
            self._write(stack, pending=True)

    def _write(self, stack: StackPlan, *, pending: bool) -> None:
        stored = stack.action is Action.NOTHING and pending == stack.recreate_pending
        if self._wanted.test or stored:
            return
        self._client.update_service(
            self._uuids[stack.desired.name],
            what=f"change the stack {stack.desired.name}",
            compose=stack.desired.compose if stack.action is Action.UPDATE else None,
            description=str(stack.desired.mark(recreate_pending=pending)),
        )

    def _recreate(self, stack: StackPlan) -> None:
        if not self._wanted.test:
            self._client.update_service(
                self._uuids[stack.desired.name],
                what=f"recreate the containers of {stack.desired.name}",
                description=str(stack.desired.mark()),
                recreate=True,
            )

    def start(self, plan: Plan) -> None:
        stacks: list[StackPlan] = []
        for stack in plan.stacks:
            if not self._to_be_started(stack):
                continue
            if stack.observed is not None and stack.observed.starting:
                self.outcome.already_starting.append(stack.desired.name)
            else:
                stacks.append(stack)
        if self._wanted.test:
            self.outcome.started = [stack.desired.name for stack in stacks]
        else:
            self.outcome.started = start_stacks(self._client, [self._startable(s) for s in stacks])

    def _to_be_started(self, stack: StackPlan) -> bool:
        is_new = stack.action in (Action.CREATE, Action.REPLACE)
        return is_new or stack.desired.name in self._wanted.not_running

    def _startable(self, stack: StackPlan) -> Startable:
        name = stack.desired.name
        return Startable(name, self._uuids[name], stack.desired.server.uuid)

    def _environment_changed(self) -> None:
        name = self._topology.coolify.environment
        self._changed(f"environment {name}", None, name)

    def _changed(self, what: str, old: str | None, new: str) -> None:
        self.outcome.changes[what] = {"old": old, "new": new}
