"""Servers (contract 2.3)."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from ..clock import iso
from ..http import body
from ..http.pipeline import ApiRoute, Call, answer, moved
from ..http.validation import Fields, Rule, at_least, at_most, boolean, integer, string, truthy
from ..status.passes import stack_status
from ..store import servers, services
from ..store.database import Row
from ..views import server as view
from . import lookup

_CLEANUP: dict[str, tuple[Rule, ...]] = {
    "docker_cleanup_frequency": (string,),
    "docker_cleanup_threshold": (integer, at_least(1), at_most(100)),
    "force_docker_cleanup": (boolean,),
    "delete_unused_volumes": (boolean,),
    "delete_unused_networks": (boolean,),
    "disable_application_image_retention": (boolean,),
}


async def index(call: Call) -> Response:
    rows = servers.of_team(call.standin.db, call.caller.team_id)
    sensitive = call.caller.sees_sensitive
    return answer([view.listed(row, sensitive=sensitive) for row in rows])


async def show(call: Call) -> Response:
    row = lookup.server(call)
    item = view.detail(row, sensitive=call.caller.sees_sensitive)
    if call.query.get("resources"):
        item["resources"] = _resources(call, row)
    return answer(item)


async def resources(call: Call) -> Response:
    return answer(_resources(call, lookup.server(call)))


def _resources(call: Call, server: Row) -> list[dict[str, Any]]:
    rows = services.of_server(call.standin.db, server["id"])
    subs = services.subs_of_many(call.standin.db, [row["id"] for row in rows])
    return [_resource(call, row, subs[row["id"]]) for row in rows]


def _resource(call: Call, row: Row, subs: list[Row]) -> dict[str, Any]:
    return {
        **{key: row[key] for key in ("id", "uuid", "name")},
        "type": "service",
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
        "status": stack_status(subs, busy=call.standin.jobs.is_starting(row["id"])),
    }


async def domains(call: Call) -> Response:
    server = lookup.server(call)
    rows = call.standin.db.all(
        "SELECT r.fqdn FROM sub_resources r JOIN services s ON s.id = r.service_id "
        "WHERE s.server_id = ? AND r.fqdn IS NOT NULL AND s.deleted_at IS NULL",
        server["id"],
    )
    hosts = sorted({url.split("://")[-1] for row in rows for url in row["fqdn"].split(",")})
    return answer([{"ip": server["ip"], "domains": hosts}] if hosts else [])


async def destinations(call: Call) -> Response:
    server = lookup.server(call, "server_uuid")
    rows = servers.destinations(call.standin.db, server["id"])
    return answer([view.destination(row, server["uuid"]) for row in rows])


async def validate(call: Call) -> Response:
    server = lookup.server(call)
    work = call.standin.actions.validate(server["id"])
    call.standin.jobs.queue(f"validation of {server['name']}", work)
    return answer({"message": "Validation started."}, 201)


async def sentinel(call: Call) -> Response:
    return answer(view.sentinel(lookup.server(call), sensitive=call.caller.sees_sensitive))


async def cleanup(call: Call) -> Response:
    return answer(json.loads(lookup.server(call)["cleanup"]))


async def update_cleanup(call: Call) -> Response:
    data = await body.checked(call.request)
    fields = Fields(data)
    for name, rules in _CLEANUP.items():
        fields.optional(name, *rules)
    fields.refuse_unknown(set(_CLEANUP)).check()
    server = lookup.server(call)
    values = {**json.loads(server["cleanup"]), **{k: _cast(k, v) for k, v in data.items()}}
    changes = {"cleanup": json.dumps(values), "updated_at": call.standin.clock.now()}
    call.standin.db.update("servers", server["id"], changes)
    return answer(values)


def _cast(name: str, value: Any) -> Any:
    if boolean in _CLEANUP[name]:
        return truthy(value)
    return int(value) if integer in _CLEANUP[name] else value


ROUTES = [
    ApiRoute("GET", "/servers", "read", index),
    ApiRoute("GET", "/servers/{uuid}", "read", show),
    ApiRoute("GET", "/servers/{uuid}/resources", "read", resources),
    ApiRoute("GET", "/servers/{uuid}/domains", "read", domains),
    ApiRoute("GET", "/servers/{server_uuid}/destinations", "read", destinations),
    ApiRoute("POST", "/servers/{uuid}/validate", "write", validate),
    moved("/servers/{uuid}/validate", "write"),
    ApiRoute("GET", "/servers/{uuid}/sentinel", "read", sentinel),
    ApiRoute("GET", "/servers/{uuid}/docker-cleanup", "read", cleanup),
    ApiRoute("PATCH", "/servers/{uuid}/docker-cleanup", "write", update_cleanup),
]
