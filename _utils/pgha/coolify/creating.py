"""Creating what is missing, exactly once.

Coolify does not keep names unique and a create that ends in an error may have left its row behind,
so every create is preceded by a look (the caller's reading) and, when its outcome is unknown,
followed by another one. A create is never sent twice in one run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pgha.coolify.client import CoolifyClient
from pgha.coolify.destinations import Choice, choose_destination
from pgha.coolify.ground import only_project, only_service
from pgha.coolify.models import Environment, Project, Server, Service
from pgha.coolify.pace import Pace
from pgha.coolify.stacks import DesiredStack, Mark
from pgha.errors import (
    ConflictError,
    FailedError,
    PghaError,
    TimedOutError,
    UnexpectedAnswerError,
    UnreachableError,
)
from pgha.topology import Topology
from pgha.wait import Pending, poll

# After these the request may have been carried out.
_OUTCOME_UNKNOWN = (TimedOutError, UnexpectedAnswerError, UnreachableError)


@dataclass(frozen=True)
class Place:
    """Where new stacks go. `destinations` remembers what was asked, one request per server."""

    project: Project
    environment: str
    destinations: dict[str, Choice] = field(default_factory=dict)

    def destination(self, client: CoolifyClient, server: Server) -> str | None:
        """The destination to name for a server, None where Coolify needs no hint.

        Raises:
            FailedError: the server has none that fits.
        """
        if server.uuid not in self.destinations:
            found = client.destinations(server.uuid)
            self.destinations[server.uuid] = choose_destination(server, found)
        choice = self.destinations[server.uuid]
        if choice.problem is not None:
            raise FailedError(choice.problem)
        return choice.uuid


def ensure_project(client: CoolifyClient, topology: Topology, name: str | None = None) -> Project:
    """Create a project (the cluster's own); the caller has seen that none of its name exists."""
    name = name or topology.coolify.project
    try:
        return Project(client.create_project(name), name)
    except _OUTCOME_UNKNOWN as error:
        found = only_project(client.projects(), topology, name)
        if found is None:
            raise error
        return found


def ensure_environment(
    client: CoolifyClient, project: Project, name: str
) -> tuple[Environment, bool]:
    """The environment, and whether it had to be created (a new project has `production`)."""
    found = client.environment(project.uuid, name)
    if found is not None:
        return found, False
    try:
        return Environment(client.create_environment(project.uuid, name), name, ()), True
    except (*_OUTCOME_UNKNOWN, ConflictError) as error:
        found = client.environment(project.uuid, name)
        if found is None:
            raise error
        return found, True


def create_stack(client: CoolifyClient, place: Place, desired: DesiredStack, pace: Pace) -> str:
    """Create one stack, or adopt what a failed create left, and return its uuid.

    Raises:
        ConflictError: two services of the name appeared.
    """
    destination_uuid = place.destination(client, desired.server)
    try:
        return client.create_service(
            name=desired.name,
            description=str(desired.mark()),
            server_uuid=desired.server.uuid,
            project_uuid=place.project.uuid,
            environment=place.environment,
            compose=desired.compose,
            destination_uuid=destination_uuid,
        )
    except _OUTCOME_UNKNOWN as error:
        return _adopt_leftover(client, place, desired, pace, error)


def replace_stack(
    client: CoolifyClient, place: Place, desired: DesiredStack, leftover: Service, pace: Pace
) -> str:
    """Delete a never started row that is on the wrong server, then create the stack."""
    client.delete_service(leftover.uuid, leftover.name)
    poll(
        lambda: _gone(_find(client, place, desired)),
        deadline_s=pace.deletion_s,
        interval_s=pace.interval_s,
        what=f"Coolify to delete the leftover stack {leftover.name} ({leftover.uuid})",
        clock=pace.clock,
        sleep=pace.sleep,
    )
    return create_stack(client, place, desired, pace)


def _adopt_leftover(
    client: CoolifyClient, place: Place, desired: DesiredStack, pace: Pace, error: PghaError
) -> str:
    # A 5xx is the end of the request; one that timed out may still be at work.
    patience_s = 0.0 if isinstance(error, UnexpectedAnswerError) else pace.settle_s
    try:
        row = poll(
            lambda: _find(client, place, desired) or Pending("no such stack"),
            deadline_s=patience_s,
            interval_s=pace.interval_s,
            what=f"the stack {desired.name}",
            clock=pace.clock,
            sleep=pace.sleep,
        )
    except TimedOutError:
        raise error from None
    if not _complete(row, desired):
        client.update_service(
            row.uuid,
            what=f"store the stack {desired.name} after a failed create",
            compose=desired.compose,
            description=str(desired.mark()),
        )
    return row.uuid


def _gone(row: Service | None) -> bool | Pending:
    return True if row is None else Pending("it is still listed")


def _complete(row: Service, desired: DesiredStack) -> bool:
    parsed = row.part_names is not None and desired.parts <= row.part_names
    return parsed and Mark.of(row.description) == desired.mark()


def _find(client: CoolifyClient, place: Place, desired: DesiredStack) -> Service | None:
    environment = client.environment(place.project.uuid, place.environment)
    return only_service(environment.services if environment else (), desired.name)
