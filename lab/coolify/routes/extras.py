"""Tags, storages and scheduled tasks of a service (contract 2.12)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..http import body
from ..http.errors import ApiError, invalid, not_found
from ..http.pipeline import ApiRoute, Call, answer
from ..http.validation import Fields, at_least, boolean, integer, max_length, string, truthy
from ..store import details, services
from ..store.database import Row
from ..views import detail as view
from . import lookup

_TASK_FIELDS = {"name", "command", "frequency", "container", "timeout", "enabled"}


async def tags(call: Call) -> Response:
    return answer(_tags(call, lookup.service(call)))


def _tags(call: Call, service: Row) -> list[dict[str, Any]]:
    return [view.tag(row) for row in details.tags(call.standin.db, service["id"])]


async def add_tags(call: Call) -> Response:
    data = await body.checked(call.request)
    service = lookup.service(call)
    for name in _tag_names(data):
        now = call.standin.clock.now()
        details.add_tag(call.standin.db, service["id"], name, call.caller.team_id, now)
    return answer(_tags(call, service), 201)


def _tag_names(data: dict[str, Any]) -> list[str]:
    fields = Fields(data).refuse_unknown({"tag_name", "tag_names"})
    names = data.get("tag_names") if isinstance(data.get("tag_names"), list) else None
    if names is None:
        fields.required("tag_name", string)
        names = [data.get("tag_name")]
    fields.check()
    if not names or not all(isinstance(name, str) and 2 <= len(name) <= 255 for name in names):
        raise invalid({"tag_name": ["The tag name field must be at least 2 characters."]})
    return names


async def remove_tag(call: Call) -> Response:
    service = lookup.service(call)
    rows = details.tags(call.standin.db, service["id"])
    found = [row for row in rows if row["uuid"] == call.path["tag_uuid"]]
    if not found:
        raise not_found("Tag")
    details.remove_tag(call.standin.db, service["id"], found[0]["id"])
    return answer({"message": "Tag removed."})


async def storages(call: Call) -> Response:
    service = lookup.service(call)
    owners = {row["id"]: row for row in services.subs(call.standin.db, service["id"])}
    rows = details.storages(call.standin.db, service["id"])
    sensitive = call.caller.sees_sensitive
    return answer(
        {
            "persistent_storages": [
                view.persistent_storage(row, owners[row["sub_resource_id"]])
                for row in rows
                if row["type"] == "persistent"
            ],
            "file_storages": [
                view.file_storage(row, owners[row["sub_resource_id"]], sensitive=sensitive)
                for row in rows
                if row["type"] == "file"
            ],
        }
    )


async def tasks(call: Call) -> Response:
    rows = details.tasks(call.standin.db, lookup.service(call)["id"])
    return answer([view.task(row) for row in rows])


async def add_task(call: Call) -> Response:
    data = await body.checked(call.request)
    service = lookup.service(call)
    fields = Fields(data, required_text="This field is required.")
    for name in ("name", "command", "frequency"):
        fields.required(name, string, max_length(255) if name == "name" else string)
    _check_task_options(fields)
    values = {name: data.get(name) for name in ("name", "command", "frequency", "container")}
    options = {
        "timeout": int(data.get("timeout") or 300),
        "enabled": truthy(data.get("enabled", True)),
    }
    now = call.standin.clock.now()
    row = details.add_task(call.standin.db, service["id"], {**values, **options}, now)
    return answer(view.task(row), 201)


def _check_task_options(fields: Fields) -> None:
    fields.nullable("container", string).nullable("timeout", integer, at_least(1))
    fields.optional("enabled", boolean).refuse_unknown(_TASK_FIELDS).check()


async def update_task(call: Call) -> Response:
    data = await body.checked(call.request)
    row = _task(call, lookup.service(call))
    fields = Fields(data)
    for name in ("name", "command", "frequency"):
        fields.optional(name, string)
    _check_task_options(fields)
    changes = {**data, "updated_at": call.standin.clock.now()}
    if "enabled" in data:
        changes["enabled"] = truthy(data["enabled"])
    if data.get("timeout") is None:
        changes.pop("timeout", None)
    call.standin.db.update("tasks", row["id"], changes)
    return answer(view.task(_task(call, lookup.service(call))))


async def delete_task(call: Call) -> Response:
    row = _task(call, lookup.service(call))
    call.standin.db.run("DELETE FROM executions WHERE task_id = ?", row["id"])
    call.standin.db.run("DELETE FROM tasks WHERE id = ?", row["id"])
    return answer({"message": "Scheduled task deleted."})


async def execute_task(call: Call) -> Response:
    service = lookup.service(call)
    row = _task(call, service)
    work = call.standin.tasks.execute(service["id"], row)
    call.standin.jobs.queue(f"task {row['uuid']}", work)
    return answer({"message": "Scheduled task execution queued."})


async def executions(call: Call) -> Response:
    row = _task(call, lookup.service(call))
    return answer([view.execution(item) for item in details.executions(call.standin.db, row["id"])])


def _task(call: Call, service: Row) -> Row:
    row = details.task(call.standin.db, service["id"], call.path["task_uuid"])
    if row is None:
        raise ApiError(404, "Scheduled task not found.")
    return row


ROUTES = [
    ApiRoute("GET", "/services/{uuid}/tags", "read", tags),
    ApiRoute("POST", "/services/{uuid}/tags", "write", add_tags),
    ApiRoute("DELETE", "/services/{uuid}/tags/{tag_uuid}", "write", remove_tag),
    ApiRoute("GET", "/services/{uuid}/storages", "read", storages),
    ApiRoute("GET", "/services/{uuid}/scheduled-tasks", "read", tasks),
    ApiRoute("POST", "/services/{uuid}/scheduled-tasks", "write", add_task),
    ApiRoute("PATCH", "/services/{uuid}/scheduled-tasks/{task_uuid}", "write", update_task),
    ApiRoute("DELETE", "/services/{uuid}/scheduled-tasks/{task_uuid}", "write", delete_task),
    ApiRoute("POST", "/services/{uuid}/scheduled-tasks/{task_uuid}/execute", "write", execute_task),
    ApiRoute("GET", "/services/{uuid}/scheduled-tasks/{task_uuid}/executions", "read", executions),
]
