"""Projects and environments (contract 2.2)."""

from __future__ import annotations

import re

from starlette.responses import Response

from ..http import body
from ..http.errors import ApiError, not_found
from ..http.pipeline import ApiRoute, Call, answer
from ..http.validation import Fields, matches, max_length, min_length, safe_name, string
from ..store import projects, services
from ..store.database import Row
from ..views import project as view
from ..views.service import ServiceView
from . import lookup

_DESCRIPTION = re.compile(r"[\w\s\-.,!?()'\"+=*/@&#:~`|\[\]{}<>%$^;\\]*", re.UNICODE)


async def index(call: Call) -> Response:
    rows = projects.of_team(call.standin.db, call.caller.team_id)
    return answer([view.listed(row) for row in rows])


async def create(call: Call) -> Response:
    data = await body.checked(call.request)
    fields = Fields(data).required("name", string, min_length(3), max_length(255), safe_name)
    fields.nullable("description", string, max_length(255), matches(_DESCRIPTION))
    fields.refuse_unknown({"name", "description"}).check()
    now = call.standin.clock.now()
    row = projects.create(
        call.standin.db, data["name"], data.get("description"), call.caller.team_id, now
    )
    return answer({"uuid": row["uuid"]}, 201)


async def show(call: Call) -> Response:
    row = lookup.project(call)
    return answer(view.detail(row, projects.environments(call.standin.db, row["id"])))


async def update(call: Call) -> Response:
    data = await body.checked(call.request)
    fields = Fields(data).nullable("name", string, min_length(3), max_length(255), safe_name)
    fields.nullable("description", string, max_length(255), matches(_DESCRIPTION))
    fields.refuse_unknown({"name", "description"}).check()
    row = lookup.project(call)
    changes = {key: data[key] for key in ("name", "description") if data.get(key) is not None}
    changes["updated_at"] = call.standin.clock.now()
    call.standin.db.update("projects", row["id"], changes)
    fresh = lookup.project(call)
    described = {"name": fresh["name"], "description": fresh["description"] or ""}
    return answer({"uuid": fresh["uuid"], **described}, 201)


async def delete(call: Call) -> Response:
    row = lookup.project(call)
    if projects.has_resources(call.standin.db, row["id"]):
        raise ApiError(400, "Project has resources, so it cannot be deleted.")
    projects.delete(call.standin.db, row["id"])
    return answer({"message": "Project deleted."})


async def environments(call: Call) -> Response:
    row = lookup.project(call)
    listed = projects.environments(call.standin.db, row["id"])
    return answer([view.environment_short(item) for item in listed])


async def create_environment(call: Call) -> Response:
    data = await body.checked(call.request)
    fields = Fields(data).required("name", string, min_length(3), max_length(255), safe_name)
    fields.nullable("description", string, max_length(255), matches(_DESCRIPTION))
    fields.refuse_unknown({"name", "description"}).check()
    row = lookup.project(call)
    db, now = call.standin.db, call.standin.clock.now()
    if projects.environment_by_name(db, row["id"], data["name"]):
        raise ApiError(409, "Environment with this name already exists.")
    made = projects.create_environment(db, row["id"], data["name"], data.get("description"), now)
    return answer({"uuid": made["uuid"]}, 201)


async def show_environment(call: Call) -> Response:
    row = _environment(call)
    rows = services.of_environment(call.standin.db, row["id"])
    items = ServiceView(call.standin, call.caller).many(rows, with_id=True)
    return answer(view.environment_detail(row, items))


async def delete_environment(call: Call) -> Response:
    row = _environment(call)
    if services.of_environment(call.standin.db, row["id"]):
        raise ApiError(400, "Environment has resources, so it cannot be deleted.")
    call.standin.db.run("DELETE FROM environments WHERE id = ?", row["id"])
    return answer({"message": "Environment deleted."})


def _environment(call: Call) -> Row:
    project = lookup.project(call)
    row = projects.environment(call.standin.db, project["id"], call.path["environment"])
    if row is None:
        raise not_found("Environment")
    return row


ROUTES = [
    ApiRoute("GET", "/projects", "read", index),
    ApiRoute("POST", "/projects", "write", create),
    ApiRoute("GET", "/projects/{uuid}", "read", show),
    ApiRoute("PATCH", "/projects/{uuid}", "write", update),
    ApiRoute("DELETE", "/projects/{uuid}", "write", delete),
    ApiRoute("GET", "/projects/{uuid}/environments", "read", environments),
    ApiRoute("POST", "/projects/{uuid}/environments", "write", create_environment),
    ApiRoute("DELETE", "/projects/{uuid}/environments/{environment}", "write", delete_environment),
    ApiRoute("GET", "/projects/{uuid}/{environment}", "read", show_environment),
]
