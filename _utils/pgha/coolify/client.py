"""Coolify's HTTP API, as far as a PostgreSQL cluster needs it.

All talking goes through `pgha.coolify.wire`; the retry rule is written in `pgha.coolify.retry`.
Facts about endpoints are from Coolify 4.3.11 (2.x of the contract the tests are recorded from).
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from typing import Any

import httpx

from pgha.coolify import answers
from pgha.coolify.models import Destination, Environment, Part, Project, Server, Service
from pgha.coolify.retry import RetryPolicy
from pgha.coolify.wire import Wire
from pgha.errors import (
    NotFoundError,
    UnexpectedAnswerError,
)

# No uuid of Coolify looks like this (24 characters of [a-z0-9], random), so requests that name it
# pass the ability check and end in 404.
NO_SUCH_UUID = "0" * 24
# Every service of the team with its compose text in one answer.
_BULK_TIMEOUT_S = 120.0
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)([-.+\w]*)")


class CoolifyClient:
    """A client for one Coolify and one token. Safe to share between threads.

    Args:
        url: Coolify's address, with or without `/api/v1`.
        token: `<id>|<secret>`; never logged, never in an exception, not in the repr.
        timeout: seconds to wait for an answer (connecting: 5 s at most).
        verify: whether to verify Coolify's TLS certificate.

    Every method raises `UnreachableError`, `TimedOutError`, `UnexpectedAnswerError` or a
    `RefusedError` (`InvalidTokenError`, `MissingAbilityError`) with one sentence for the operator.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = 30.0,
        verify: bool = True,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._wire = Wire(
            url,
            token,
            transport=transport,
            clock=clock,
            sleep=sleep,
            timeout=timeout,
            verify=verify,
            policy=policy or RetryPolicy(),
        )
        self.url = self._wire.url

    def __repr__(self) -> str:
        return f"CoolifyClient({self.url!r})"

    def __enter__(self) -> CoolifyClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    @property
    def requests(self) -> int:
        """Requests sent so far, repeated ones included."""
        return self._wire.budget.taken

    # -- instance -----------------------------------------------------------------------------

    def version(self) -> str:
        """Coolify's version, for example `4.3.11`. The answer is bare text, not JSON."""
        response = self._wire.send("GET", "/version", what="tell its version")
        text = response.text.strip().strip('"')
        if not _VERSION.fullmatch(text):
            raise UnexpectedAnswerError(
                f"{self.url} does not answer like Coolify when asked for its version: check "
                "coolify_url, and that no login page or proxy stands in front of it."
            )
        return text.removeprefix("v")

    def may(self, ability: str) -> bool:
        """Whether the token has `write` or `deploy`, asked of a service that does not exist.

        Coolify checks the ability before it looks for the service (contract 1.2), and answers a GET
        on `start` with 405 (404 before 4.2), so neither request can change anything.
        """
        try:
            if ability == "write":
                self._wire.send(
                    "PATCH",
                    f"/services/{NO_SUCH_UUID}",
                    what="check the ability write",
                    body={"name": "ability check"},
                    accept={404},
                )
            else:
                self._wire.send(
                    "GET",
                    f"/services/{NO_SUCH_UUID}/start",
                    what="check the ability deploy",
                    accept={404, 405},
                )
        except answers.MissingAbilityError:
            return False
        return True

    # -- servers ------------------------------------------------------------------------------

    def servers(self) -> list[Server]:
        return [
            Server.from_json(row) for row in self._wire.ask_list("/servers", "list the servers")
        ]

    def validate_server(self, server_uuid: str) -> None:
        """Let Coolify look at a server again; what it finds shows in `servers` (since 4.2.0)."""
        path = f"/servers/{server_uuid}/validate"
        self._wire.ask_object("POST", path, "validate a server")

    def destinations(self, server_uuid: str) -> list[Destination]:
        rows = self._wire.ask_list(
            f"/servers/{server_uuid}/destinations", "list a server's destinations"
        )
        return [Destination.from_json(row) for row in rows]

    def docker_cleanup(self, server_uuid: str) -> bool:
        """Whether the nightly clean-up of a server is on (endpoint since 4.3.0)."""
        body = self._wire.ask_object(
            "GET", f"/servers/{server_uuid}/docker-cleanup", "read a server's clean-up settings"
        )
        return bool(body.get("force_docker_cleanup"))

    def disable_docker_cleanup(self, server_uuid: str) -> None:
        """Switch the nightly clean-up off: it removes every image no container uses."""
        self._wire.ask_object(
            "PATCH",
            f"/servers/{server_uuid}/docker-cleanup",
            "switch a server's nightly clean-up off",
            {"force_docker_cleanup": False},
        )

    # -- projects and environments ------------------------------------------------------------

    def projects(self) -> list[Project]:
        return [
            Project.from_json(row) for row in self._wire.ask_list("/projects", "list the projects")
        ]

    def create_project(self, name: str) -> str:
        """Create a project and return its uuid. Names are not unique: look first."""
        return self._wire.created("/projects", f"create the project {name}", {"name": name})

    def environment(self, project_uuid: str, name: str) -> Environment | None:
        """An environment with all its services, None when the project has none of that name."""
        try:
            body = self._wire.ask_object(
                "GET", f"/projects/{project_uuid}/{name}", f"read the environment {name}"
            )
        except NotFoundError:
            return None
        return Environment.from_json(body)

    def create_environment(self, project_uuid: str, name: str) -> str:
        """Create an environment and return its uuid.

        Raises:
            ConflictError: the project has one of that name.
        """
        path = f"/projects/{project_uuid}/environments"
        return self._wire.created(path, f"create the environment {name}", {"name": name})

    # -- services -----------------------------------------------------------------------------

    def services(self) -> list[Service]:
        """Every service of the team, compose text included: one large answer."""
        response = self._wire.send(
            "GET", "/services", what="list the services", timeout_s=_BULK_TIMEOUT_S
        )
        return [Service.from_json(row) for row in self._wire.rows(response, "list the services")]

    def create_service(
        self,
        *,
        name: str,
        description: str,
        server_uuid: str,
        project_uuid: str,
        environment: str,
        compose: str,
        destination_uuid: str | None = None,
    ) -> str:
        """Create a stack without starting it and return its uuid.

        Never sent twice. After any error but a plain refusal the stack may exist all the same
        (contract 2.5, check 12): look for it by name.
        """
        body: dict[str, Any] = {
            "name": name,
            "description": description,
            "server_uuid": server_uuid,
            "project_uuid": project_uuid,
            "environment_name": environment,
            "docker_compose_raw": encoded(compose),
            "instant_deploy": False,
        }
        # null is refused (contract 2.5), so the key is left out.
        if destination_uuid is not None:
            body["destination_uuid"] = destination_uuid
        return self._wire.created("/services", f"create the stack {name}", body)

    def update_service(
        self,
        uuid: str,
        *,
        what: str,
        compose: str | None = None,
        description: str | None = None,
        recreate: bool = False,
    ) -> None:
        """Change what is stored; `recreate` also starts it with every container recreated.

        That start (`instant_deploy`) does not stop first, so containers get their own
        `stop_grace_period`; a stop gives 30 s at most (contract 4.4, correction 13).
        """
        body: dict[str, Any] = {}
        if compose is not None:
            body["docker_compose_raw"] = encoded(compose)
        if description is not None:
            body["description"] = description
        if recreate:
            body["instant_deploy"] = True
        self._wire.ask_object("PATCH", f"/services/{uuid}", what, body)

    def start_service(self, uuid: str, name: str) -> bool:
        """Queue a start. False: Coolify believes it runs, and refused (the belief may be stale)."""
        return self._wire.queued(f"/services/{uuid}/start", f"start the stack {name}", "running")

    def stop_service(self, uuid: str, name: str) -> bool:
        """Queue a stop, without any clean-up of images. False: Coolify believes it is stopped."""
        return self._wire.queued(
            f"/services/{uuid}/stop",
            f"stop the stack {name}",
            "stopped",
            {"docker_cleanup": "false"},
        )

    def restart_service(self, uuid: str, name: str) -> None:
        """Queue a stop and a start of all containers; images are not pulled."""
        self._wire.send(
            "POST",
            f"/services/{uuid}/restart",
            what=f"restart the stack {name}",
            params={"latest": "false"},
        )

    def delete_service(self, uuid: str, name: str) -> None:
        """Queue a deletion that leaves volumes and images alone; the stack disappears later."""
        self._wire.send(
            "DELETE",
            f"/services/{uuid}",
            what=f"delete the stack {name}",
            params={
                "docker_cleanup": "false",
                "delete_volumes": "false",
                "delete_connected_networks": "false",
                "delete_configurations": "true",
            },
        )

    def is_live(self, service_uuid: str, part: Part) -> bool:
        """Whether a container runs right now: Coolify inspects it to answer for its logs."""
        what = f"look at the container {part.name}"
        path = f"/services/{service_uuid}/{part.kind}/{part.uuid}/logs"
        response = self._wire.send("GET", path, what=what, params={"lines": "1"}, accept={400})
        if response.is_success:
            return True
        if "not running" in answers.message_of(response):
            return False
        raise answers.refusal(response, self.url, what)

    # -- tags ---------------------------------------------------------------------------------

    def tags(self) -> list[str]:
        """Names of all tags of the team, lower case; none on a Coolify without the endpoint."""
        try:
            return [str(row.get("name")) for row in self._wire.ask_list("/tags", "list the tags")]
        except NotFoundError:
            return []

    def service_tags(self, uuid: str) -> list[str]:
        rows = self._wire.ask_list(f"/services/{uuid}/tags", "list a service's tags")
        return [str(row.get("name")) for row in rows]


def parsed_version(text: str) -> tuple[int, int, int]:
    """`4.3.11` as numbers; a pre-release counts as the release before it is finished."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return (0, 0, 0)
    major, minor, patch = (int(found.group(part)) for part in (1, 2, 3))
    return (major, minor, patch)


def encoded(compose: str) -> str:
    """Compose text as Coolify takes it: strict base64, no line breaks (contract 2.5)."""
    return base64.b64encode(compose.encode()).decode("ascii")
