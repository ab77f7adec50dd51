"""A small Coolify behind `httpx.MockTransport`: state in lists, failures by appointment.

Shapes of the answers are those recorded from Coolify 4.3.11; only keys that our code reads or
must not leak are present. It keeps names non-unique and leaves rows behind, as the real one does.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import yaml

TOKEN = "7|SecretTokenThatMustNeverShowUp0123456789"
SENTINEL = "sentinel-token-that-must-never-show-up"
URL = "http://coolify.test:8000"
ALL = frozenset({"read", "read:sensitive", "write", "deploy"})
Failure = Callable[[httpx.Request], httpx.Response | None]


class FakeCoolify:
    def __init__(self, abilities: frozenset[str] = ALL, version: str = "4.3.11") -> None:
        self.abilities = abilities
        self.version = version
        self.servers: list[dict[str, Any]] = []
        self.projects: list[dict[str, Any]] = []
        self.environments: dict[str, list[str]] = {}
        self.services: list[dict[str, Any]] = []
        self.tags: dict[str, list[str]] = {}
        self.extra_destinations: dict[str, list[str]] = {}
        self.live: set[str] = set()
        self.log: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.failures: list[tuple[str, Failure]] = []
        self.validation_takes: int | None = None
        """Looks at the servers until a validation has mended them; None when it finds nothing."""
        self._validated: list[str] = []
        self._count = 0

    # -- building the scene -------------------------------------------------------------------

    def add_server(self, name: str, ip: str, **settings: Any) -> dict[str, Any]:
        top = {key: settings.pop(key) for key in ("is_reachable", "is_usable") if key in settings}
        server = {
            "uuid": self._uuid("srv"),
            "name": name,
            "description": "",
            "ip": ip,
            "is_coolify_host": False,
            "is_reachable": True,
            "is_usable": True,
            "port": 22,
            "user": "root",
            "settings": {
                "server_id": len(self.servers) + 1,
                "is_build_server": False,
                "force_disabled": False,
                "force_docker_cleanup": True,
                "sentinel_token": SENTINEL,
                **settings,
            },
            **top,
        }
        self.servers.append(server)
        return server

    def add_project(self, name: str, environments: tuple[str, ...] = ("production",)) -> str:
        uuid = self._uuid("prj")
        self.projects.append({"id": 1, "uuid": uuid, "name": name, "description": ""})
        self.environments[uuid] = list(environments)
        return uuid

    def add_service(
        self, name: str, server: dict[str, Any], compose: str, *, project: str = "", **more: Any
    ) -> dict[str, Any]:
        row = {
            "uuid": self._uuid("svc"),
            "name": name,
            "description": "",
            "status": "exited",
            "config_hash": None,
            "server_id": server["settings"]["server_id"],
            "server": server,
            "docker_compose_raw": compose,
            "project": project,
            "environment": "production",
            **more,
        }
        if "applications" not in row:
            row["applications"] = _parts(compose)
            row["databases"] = []
        self.services.append(row)
        return row

    def fail(self, pattern: str, failure: Failure, times: int = 1) -> None:
        """Let the next `times` requests whose "METHOD path" matches go through `failure`."""
        self.failures.extend([(pattern, failure)] * times)

    def named(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.services if row["name"] == name]

    def count(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, line)) for line in self.log)

    # -- answering ----------------------------------------------------------------------------

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1")
        line = f"{request.method} {path}"
        self.log.append(line)
        for index, (pattern, failure) in enumerate(self.failures):
            if re.search(pattern, line):
                del self.failures[index]
                answer = failure(request)
                if answer is not None:
                    return answer
                break
        return self.answer(request, path)

    def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return reply(401, {"message": "Unauthenticated."})
        assert request.headers["Accept"] == "application/json"
        needed = _ability(request.method, path)
        if needed not in self.abilities:
            return reply(403, {"message": f"Missing required permissions: {needed}"})
        body = json.loads(request.content) if request.content else {}
        if body:
            self.bodies.append(body)
        for method, pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, path)
            if method == request.method and found:
                answer: httpx.Response = getattr(self, handler)(request, body, *found.groups())
                return answer
        return reply(404, {"message": "Not found.", "docs": "https://coolify.io/docs"})

    def get_version(self, *_: Any) -> httpx.Response:
        return httpx.Response(200, text=self.version, headers={"Content-Type": "text/html"})

    def get_servers(self, *_: Any) -> httpx.Response:
        if self._validated and self.validation_takes is not None:
            self.validation_takes -= 1
            if self.validation_takes <= 0:
                self._mend()
        return reply(200, [self._shown_server(server) for server in self.servers])

    def post_validate(self, _request: Any, _body: Any, uuid: str) -> httpx.Response:
        self._validated.append(uuid)
        return reply(201, {"message": "Validation started."})

    def get_destinations(self, _request: Any, _body: Any, uuid: str) -> httpx.Response:
        networks = ["coolify", *self.extra_destinations.get(uuid, [])]
        return reply(200, [{"uuid": f"dst-{net}", "name": net, "network": net} for net in networks])

    def patch_cleanup(self, _request: Any, body: dict[str, Any], uuid: str) -> httpx.Response:
        server = next(server for server in self.servers if server["uuid"] == uuid)
        server["settings"].update(body)
        return reply(200, {"force_docker_cleanup": server["settings"]["force_docker_cleanup"]})

    def get_cleanup(self, _request: Any, _body: Any, uuid: str) -> httpx.Response:
        server = next(server for server in self.servers if server["uuid"] == uuid)
        return reply(200, {"force_docker_cleanup": server["settings"]["force_docker_cleanup"]})

    def get_projects(self, *_: Any) -> httpx.Response:
        return reply(200, self.projects)

    def post_projects(self, _request: Any, body: dict[str, Any]) -> httpx.Response:
        return reply(201, {"uuid": self.add_project(body["name"])})

    def post_environments(self, _request: Any, body: Any, project: str) -> httpx.Response:
        if body["name"] in self.environments[project]:
            return reply(409, {"message": "Environment with this name already exists."})
        self.environments[project].append(body["name"])
        return reply(201, {"uuid": self._uuid("env")})

    def get_environment(self, _request: Any, _body: Any, project: str, name: str) -> httpx.Response:
        if name not in self.environments.get(project, []):
            return reply(404, {"message": "Environment not found."})
        rows = [
            self._shown(row)
            for row in self.services
            if row["project"] == project and row["environment"] == name
        ]
        return reply(200, {"uuid": f"env-{name}", "name": name, "services": rows})

    def get_services(self, *_: Any) -> httpx.Response:
        return reply(200, [self._shown(row) for row in self.services])

    def post_services(self, _request: Any, body: dict[str, Any]) -> httpx.Response:
        allowed = {
            "name", "description", "server_uuid", "project_uuid", "environment_name",
            "docker_compose_raw", "instant_deploy", "destination_uuid",
        }  # fmt: skip
        if unknown := set(body) - allowed:
            errors = {key: ["This field is not allowed."] for key in unknown}
            return reply(422, {"message": "Validation failed.", "errors": errors})
        server = next(row for row in self.servers if row["uuid"] == body["server_uuid"])
        if self.extra_destinations.get(server["uuid"]) and "destination_uuid" not in body:
            message = "Server has multiple destinations and you do not set destination_uuid."
            return reply(400, {"message": message})
        row = self.add_service(
            body["name"],
            server,
            base64.b64decode(body["docker_compose_raw"], validate=True).decode(),
            project=body["project_uuid"],
            environment=body["environment_name"],
            description=body["description"],
        )
        return reply(201, {"uuid": row["uuid"], "domains": []})

    def patch_service(self, _request: Any, body: dict[str, Any], uuid: str) -> httpx.Response:
        row = self._row(uuid)
        if row is None:
            return reply(404, {"message": "Service not found."})
        if "docker_compose_raw" in body:
            row["docker_compose_raw"] = base64.b64decode(body["docker_compose_raw"]).decode()
            row["applications"] = _parts(row["docker_compose_raw"])
        row["description"] = body.get("description", row["description"])
        if body.get("instant_deploy"):
            row["config_hash"] = "hash"
        return reply(200, {"uuid": uuid, "domains": []})

    def delete_service(self, _request: Any, _body: Any, uuid: str) -> httpx.Response:
        self.services = [row for row in self.services if row["uuid"] != uuid]
        return reply(200, {"message": "Service deletion request queued."})

    def post_action(self, _request: Any, _body: Any, uuid: str, verb: str) -> httpx.Response:
        row = self._row(uuid)
        if row is None:
            return reply(404, {"message": "Service not found."})
        if verb == "start" and "running" in row["status"]:
            return reply(400, {"message": "Service is already running."})
        if verb == "stop" and re.search("stopped|exited", row["status"]):
            return reply(400, {"message": "Service is already stopped."})
        row["config_hash"] = "hash"
        return reply(200, {"message": f"Service {verb}ing request queued."})

    def get_start(self, *_: Any) -> httpx.Response:
        message = "This endpoint has changed to a POST request."
        return httpx.Response(405, json={"message": message}, headers={"Allow": "POST"})

    def get_logs(self, _request: Any, _body: Any, uuid: str, part: str) -> httpx.Response:
        if f"{uuid}/{part}" in self.live:
            return reply(200, {"logs": "line"})
        return reply(400, {"message": "Service application container is not running."})

    def get_tags(self, *_: Any) -> httpx.Response:
        names = {name for tags in self.tags.values() for name in tags}
        return reply(200, [{"uuid": f"tag-{name}", "name": name} for name in sorted(names)])

    def get_service_tags(self, _request: Any, _body: Any, uuid: str) -> httpx.Response:
        return reply(200, [{"name": name} for name in self.tags.get(uuid, [])])

    # -- details ------------------------------------------------------------------------------

    def _mend(self) -> None:
        for server in self.servers:
            if server["uuid"] in self._validated:
                server.update(is_reachable=True, is_usable=True)

    def _uuid(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count:021d}"

    def _row(self, uuid: str) -> dict[str, Any] | None:
        return next((row for row in self.services if row["uuid"] == uuid), None)

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        hidden = {"project", "environment"}
        if "read:sensitive" not in self.abilities:
            hidden |= {"docker_compose_raw"}
        shown = {key: value for key, value in row.items() if key not in hidden}
        return {**shown, "server": self._shown_server(row["server"])}

    def _shown_server(self, server: dict[str, Any]) -> dict[str, Any]:
        if "read:sensitive" in self.abilities:
            return server
        settings = {key: value for key, value in server["settings"].items() if "token" not in key}
        return {**server, "settings": settings}


_UUID = "([^/]+)"
_ROUTES = [
    ("GET", "/version", "get_version"),
    ("GET", "/servers", "get_servers"),
    ("POST", f"/servers/{_UUID}/validate", "post_validate"),
    ("GET", f"/servers/{_UUID}/destinations", "get_destinations"),
    ("GET", f"/servers/{_UUID}/docker-cleanup", "get_cleanup"),
    ("PATCH", f"/servers/{_UUID}/docker-cleanup", "patch_cleanup"),
    ("GET", "/projects", "get_projects"),
    ("POST", "/projects", "post_projects"),
    ("POST", f"/projects/{_UUID}/environments", "post_environments"),
    ("GET", f"/projects/{_UUID}/{_UUID}", "get_environment"),
    ("GET", "/services", "get_services"),
    ("POST", "/services", "post_services"),
    ("PATCH", f"/services/{_UUID}", "patch_service"),
    ("DELETE", f"/services/{_UUID}", "delete_service"),
    ("GET", f"/services/{_UUID}/start", "get_start"),
    ("GET", f"/services/{_UUID}/tags", "get_service_tags"),
    ("GET", f"/services/{_UUID}/applications/{_UUID}/logs", "get_logs"),
    ("POST", f"/services/{_UUID}/(start|stop|restart)", "post_action"),
    ("GET", "/tags", "get_tags"),
]


def _ability(method: str, path: str) -> str:
    if re.search("/(start|stop|restart)$", path):
        return "deploy"
    return "read" if method == "GET" else "write"


def _parts(compose: str) -> list[dict[str, Any]]:
    document = yaml.safe_load(compose) or {}
    return [
        {"uuid": f"app-{key}", "name": key, "status": "exited"}
        for key in document.get("services", {})
    ]


def reply(status: int, body: Any) -> httpx.Response:
    return httpx.Response(status, json=body)


def html(status: int) -> Failure:
    """An HTML page of a framework or proxy."""
    page = f"<!DOCTYPE html><html><h2>The server returned {status} {SENTINEL}</h2></html>"
    return lambda _request: httpx.Response(
        status, text=page, headers={"Content-Type": "text/html; charset=UTF-8"}
    )


def raises(error: type[httpx.TransportError]) -> Failure:
    def failure(request: httpx.Request) -> httpx.Response:
        raise error("no luck", request=request)

    return failure


def after_doing_it(fake: FakeCoolify, then: Failure) -> Failure:
    """Carry the request out and answer with a failure all the same."""

    def failure(request: httpx.Request) -> httpx.Response | None:
        fake.answer(request, request.url.path.removeprefix("/api/v1"))
        return then(request)

    return failure


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
