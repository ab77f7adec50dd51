"""Services: list, read, change, delete (contract 2.4 to 2.8)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..http import body
from ..http.pipeline import ApiRoute, Call, answer
from ..http.validation import Fields, array, boolean, flag, max_length, string, truthy
from ..lifecycle import compose
from ..lifecycle.actions import DeleteFlags
from ..store import services
from ..store.database import Row
from ..views.service import ServiceView
from . import lookup, urls
from .compose_text import stored_form
from .create_service import check_urls, create, strip_tags

_FIELDS = {
    "name", "description", "instant_deploy", "docker_compose_raw", "connect_to_docker_network",
    "urls", "force_domain_override", "is_container_label_escape_enabled",
}  # fmt: skip
_BOOLEANS = (
    "instant_deploy",
    "connect_to_docker_network",
    "force_domain_override",
    "is_container_label_escape_enabled",
)


async def index(call: Call) -> Response:
    rows = services.of_team(call.standin.db, call.caller.team_id)
    view = ServiceView(call.standin, call.caller)
    return answer(view.many(rows, with_id=False, through=True))


async def show(call: Call) -> Response:
    return answer(ServiceView(call.standin, call.caller).one(lookup.service(call)))


async def update(call: Call) -> Response:
    data = await body.checked(call.request)
    service = lookup.service(call)
    _check_rules(data)
    changes = _changes(data)
    db, now = call.standin.db, call.standin.clock.now()
    db.update("services", service["id"], {**changes, "updated_at": now})
    if data.get("urls"):
        force = truthy(data.get("force_domain_override"))
        urls.apply(db, service, data["urls"], force=force)
    compose.parse(db, services.by_id(db, service["id"]), now)
    if truthy(data.get("instant_deploy")):
        call.standin.queue_start(service)
    return answer({"uuid": service["uuid"], "domains": urls.domains(db, service)})


def _check_rules(data: dict[str, Any]) -> None:
    fields = Fields(data).optional("name", string, max_length(255)).nullable("description", string)
    for name in _BOOLEANS:
        fields.optional(name, boolean)
    fields.nullable("urls", array)
    if isinstance(data.get("urls"), list):
        check_urls(data, fields)
    fields.refuse_unknown(_FIELDS).check()


def _changes(data: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "docker_compose_raw" in data:
        changes["docker_compose_raw"] = stored_form(data["docker_compose_raw"])
    for name in ("name", "description"):
        if name in data:
            changes[name] = strip_tags(data[name])
    for name in ("connect_to_docker_network", "is_container_label_escape_enabled"):
        if name in data:
            changes[name] = truthy(data[name])
    return changes


async def delete(call: Call) -> Response:
    service: Row = lookup.service(call)
    defaults = DeleteFlags()
    flags = {name: flag(call.query.get(name), default) for name, default in vars(defaults).items()}
    call.standin.queue_deletion(service, flags)
    return answer({"message": "Service deletion request queued."})


ROUTES = [
    ApiRoute("GET", "/services", "read", index),
    ApiRoute("POST", "/services", "write", create),
    ApiRoute("GET", "/services/{uuid}", "read", show),
    ApiRoute("PATCH", "/services/{uuid}", "write", update),
    ApiRoute("DELETE", "/services/{uuid}", "write", delete),
]
