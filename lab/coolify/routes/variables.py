"""Environment variables of a service (contract 2.10)."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from ..http import body
from ..http.errors import ApiError, not_found, unauthorized_action
from ..http.pipeline import ApiRoute, Call, answer
from ..http.validation import Fields, boolean, matches, max_length, string, truthy
from ..store import details
from ..store.database import Row
from ..views import detail as view
from . import lookup

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_FLAGS = ("is_literal", "is_multiline", "is_shown_once")
_ABSENT_AFTER_POST = ("is_preview", "is_required", "order")


async def index(call: Call) -> Response:
    if not call.caller.is_admin:
        raise unauthorized_action()
    rows = details.variables(call.standin.db, lookup.service(call)["id"])
    return answer([view.variable(row, sensitive=call.caller.sees_sensitive) for row in rows])


async def create(call: Call) -> Response:
    service = lookup.service(call)
    data = await body.lenient(call.request)
    _check(data)
    db = call.standin.db
    if details.variable(db, service["id"], data["key"]):
        message = "Environment variable already exists. Use PATCH request to update it."
        raise ApiError(409, message)
    row = _add(call, service, data)
    sensitive = call.caller.sees_sensitive
    return answer(view.variable(row, sensitive=sensitive, omit=_ABSENT_AFTER_POST), 201)


async def update(call: Call) -> Response:
    service = lookup.service(call)
    data = await body.lenient(call.request)
    _check(data)
    row = details.variable(call.standin.db, service["id"], data["key"])
    if row is None:
        raise not_found("Environment variable")
    fresh = _change(call, service, row, data)
    return answer(view.variable(fresh, sensitive=call.caller.sees_sensitive), 201)


async def bulk(call: Call) -> Response:
    """Items are applied one by one; a bad one leaves those before it saved."""
    service = lookup.service(call)
    items = (await body.lenient(call.request)).get("data")
    if not items or not isinstance(items, list):
        raise ApiError(400, "Bulk data is required.")
    return answer([_upsert(call, service, item) for item in items], 201)


def _upsert(call: Call, service: Row, item: Any) -> dict[str, Any]:
    data: dict[str, Any] = item if isinstance(item, dict) else {}
    _check(data)
    sensitive = call.caller.sees_sensitive
    row = details.variable(call.standin.db, service["id"], data["key"])
    if row is not None:
        return view.variable(_change(call, service, row, data), sensitive=sensitive)
    unsent = [name for name in ("comment", "is_multiline", "is_shown_once") if name not in data]
    omit = (*_ABSENT_AFTER_POST, *unsent)
    return view.variable(_add(call, service, data), sensitive=sensitive, omit=omit)


async def delete(call: Call) -> Response:
    service = lookup.service(call)
    rows = details.variables(call.standin.db, service["id"])
    found = [row for row in rows if row["uuid"] == call.path["env_uuid"]]
    if not found:
        raise not_found("Environment variable")
    call.standin.db.run("DELETE FROM variables WHERE id = ?", found[0]["id"])
    return answer({"message": "Environment variable deleted."})


def _check(data: dict[str, Any]) -> None:
    fields = Fields(data, required_text="This field is required.")
    fields.required("key", string, max_length(255), matches(_KEY)).nullable("value", string)
    for name in _FLAGS:
        fields.optional(name, boolean)
    fields.nullable("comment", string, max_length(256)).check()


def _add(call: Call, service: Row, data: dict[str, Any]) -> Row:
    values = {"key": data["key"], "value": data.get("value"), "comment": data.get("comment")}
    flags = {name: truthy(data.get(name)) for name in _FLAGS}
    now = call.standin.clock.now()
    return details.add_variable(call.standin.db, service["id"], {**values, **flags}, now)


def _change(call: Call, service: Row, row: Row, data: dict[str, Any]) -> Row:
    changes: dict[str, object] = {"value": data.get("value")}
    changes |= {name: truthy(data[name]) for name in _FLAGS if name in data}
    if "comment" in data:
        changes["comment"] = data["comment"]
    changes["updated_at"] = call.standin.clock.now()
    call.standin.db.update("variables", row["id"], changes)
    fresh = details.variable(call.standin.db, service["id"], row["key"])
    assert fresh is not None
    return fresh


ROUTES = [
    ApiRoute("GET", "/services/{uuid}/envs", "read", index),
    ApiRoute("POST", "/services/{uuid}/envs", "write", create),
    ApiRoute("PATCH", "/services/{uuid}/envs", "write", update),
    ApiRoute("PATCH", "/services/{uuid}/envs/bulk", "write", bulk),
    ApiRoute("DELETE", "/services/{uuid}/envs/{env_uuid}", "write", delete),
]
