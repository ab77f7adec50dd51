"""Start, stop, restart, deploy, move, logs of a whole service (contract 2.9, 2.11, 2.12)."""

from __future__ import annotations

from starlette.responses import Response

from ..http import body
from ..http.errors import ApiError, not_found
from ..http.pipeline import ApiRoute, Call, answer, moved
from ..http.validation import Fields, flag, string
from ..lifecycle import scripts
from ..rewrite.slug import slug
from ..status.passes import stack_status
from ..store import projects, servers, services
from ..store.database import Row
from . import lookup
from .sub_resources import line_count


async def start(call: Call) -> Response:
    service = lookup.service(call)
    if "running" in _status(call, service):
        raise ApiError(400, "Service is already running.")
    call.standin.queue_start(service)
    return answer({"message": "Service starting request queued."})


async def stop(call: Call) -> Response:
    service = lookup.service(call)
    status = _status(call, service)
    if "stopped" in status or "exited" in status:
        raise ApiError(400, "Service is already stopped.")
    cleanup = flag(call.query.get("docker_cleanup"), True)
    work = call.standin.actions.stop(service["id"], docker_cleanup=cleanup)
    call.standin.jobs.queue(f"stop of {service['uuid']}", work)
    return answer({"message": "Service stopping request queued."})


async def restart(call: Call) -> Response:
    service = lookup.service(call)
    latest = flag(call.query.get("latest"), False)
    work = call.standin.actions.restart(service["id"], latest=latest)
    call.standin.jobs.queue(f"restart of {service['uuid']}", work)
    return answer({"message": "Service restarting request queued."})


def _status(call: Call, service: Row) -> str:
    rows = services.subs(call.standin.db, service["id"])
    return stack_status(rows, busy=call.standin.jobs.is_starting(service["id"]))


async def deploy(call: Call) -> Response:
    """Runs the start inside the request; an unreachable host is a 500."""
    uuids, tags = call.query.get("uuid"), call.query.get("tag")
    if not uuids and not tags:
        raise ApiError(400, "You must provide uuid or tag.")
    rows = _deployable(call, uuids or "", tags or "")
    if not rows:
        raise ApiError(404, "No resources found.")
    return answer({"deployments": [await _deploy(call, row) for row in rows]})


def _deployable(call: Call, uuids: str, tags: str) -> list[Row]:
    db, team = call.standin.db, call.caller.team_id
    named = [services.by_uuid(db, uuid.strip(), team) for uuid in uuids.split(",") if uuid.strip()]
    tagged = [row for tag in tags.split(",") if tag for row in services.of_tag(db, tag, team)]
    return [row for row in named if row is not None] or tagged


async def _deploy(call: Call, service: Row) -> dict[str, str]:
    await call.standin.actions.start(service["id"])
    message = f"Service {service['name']} started. It could take a while, be patient."
    return {"message": message, "resource_uuid": service["uuid"]}


async def move(call: Call) -> Response:
    service = lookup.service(call)
    data = await body.lenient(call.request)
    Fields(data).required("environment_uuid", string).check()
    db = call.standin.db
    target = projects.environment_of_team(db, data["environment_uuid"], call.caller.team_id)
    if target is None:
        raise ApiError(404, "Target environment not found or not owned by your team.")
    if target["id"] == service["environment_id"]:
        raise ApiError(400, "Service is already in this environment.")
    values = {"environment_id": target["id"], "updated_at": call.standin.clock.now()}
    db.update("services", service["id"], values)
    return answer(
        {
            "message": "Service moved successfully.",
            "uuid": service["uuid"],
            "project_uuid": target["project_uuid"],
            "environment_uuid": target["uuid"],
        }
    )


async def migrate(_: Call) -> Response:
    raise ApiError(404, "")


async def logs(call: Call) -> Response:
    """Keeps both defects: slugs only, and 500 when any label of the stack holds a comma."""
    service = lookup.service(call)
    name = call.query.get("sub_service_name")
    if not name:
        raise ApiError(400, "Sub service name is required.")
    server = servers.by_id(call.standin.db, service["server_id"])
    if not servers.functional(server):
        raise ApiError(400, "Server is not functional.")
    script = scripts.labels_of_stack(service["id"])
    listing = await call.standin.host.run(server, script, timeout_s=30)
    container, state = _matching(listing.stdout, f"{slug(name)}-{service['uuid']}", name)
    if state != "running":
        raise ApiError(400, "Container is not running.")
    lines = line_count(call.query.get("lines"))
    stamped = flag(call.query.get("show_timestamps"), False)
    script = scripts.logs(container, lines, timestamps=stamped)
    result = await call.standin.host.run(server, script, timeout_s=30)
    return answer({"logs": result.stdout.rstrip("\n")})


def _matching(listing: str, label: str, name: str) -> tuple[str, str]:
    rows = [[*line.split("\t"), "", ""][:3] for line in listing.splitlines()]
    for container, state, labels in [(row[0], row[1], _labels(row[2])) for row in rows]:
        if labels.get("coolify.name") == label and slug(name) == name:
            return container, state
    raise not_found("Container")


def _labels(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")]
    if any(not separator for _, separator, _ in pairs):
        raise ValueError("a label value holds a comma")
    return {key: value for key, _, value in pairs}


ROUTES = [
    ApiRoute("POST", "/services/{uuid}/start", "deploy", start),
    ApiRoute("POST", "/services/{uuid}/stop", "deploy", stop),
    ApiRoute("POST", "/services/{uuid}/restart", "deploy", restart),
    moved("/services/{uuid}/start", "deploy"),
    moved("/services/{uuid}/stop", "deploy"),
    moved("/services/{uuid}/restart", "deploy"),
    ApiRoute("POST", "/deploy", "deploy", deploy),
    moved("/deploy", "deploy"),
    ApiRoute("POST", "/services/{uuid}/move", "write", move),
    ApiRoute("POST", "/services/{uuid}/migrate", "write", migrate),
    ApiRoute("GET", "/services/{uuid}/logs", "read", logs),
]
