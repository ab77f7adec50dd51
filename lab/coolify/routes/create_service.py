"""POST /services: Coolify's checks in Coolify's order (contract 2.5)."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from ..http import body
from ..http.errors import ApiError, invalid, not_found
from ..http.pipeline import Call, answer
from ..http.validation import Fields, array, boolean, max_length, string, truthy
from ..ids import random_text
from ..lifecycle import compose
from ..store import details, projects, servers, services
from ..store.database import Row
from . import urls
from .compose_text import stored_form

_FIELDS = {
    "type", "name", "description", "project_uuid", "environment_name", "environment_uuid",
    "server_uuid", "destination_uuid", "instant_deploy", "docker_compose_raw", "urls",
    "force_domain_override", "is_container_label_escape_enabled", "tags",
}  # fmt: skip
_TEMPLATES = ["activepieces", "actualbudget", "uptime-kuma", "vaultwarden"]


async def create(call: Call) -> Response:
    data = await body.checked(call.request)
    _check_rules(data)
    environment, server = _parents(call, data)
    destination = _destination(call, server, data)
    raw = stored_form(data["docker_compose_raw"])
    service = _save(call, data, environment, server, destination, raw)
    _parse(call, service, data)
    if truthy(data.get("instant_deploy")):
        call.standin.queue_start(service)
    found = urls.domains(call.standin.db, service)
    return answer({"uuid": service["uuid"], "domains": found}, 201)


def _check_rules(data: dict[str, Any]) -> None:
    if "tags" in data and data["tags"] is None:
        raise TypeError("tags: null")  # uncaught in Coolify: 500 (live finding 5)
    fields = Fields(data)
    _require_mode(data, fields)
    for name in ("project_uuid", "server_uuid"):
        fields.required(name, string)
    for name in ("environment_name", "environment_uuid"):
        fields.nullable(name, string)
    fields.nullable("description", string)
    fields.optional("name", string, max_length(255)).optional("destination_uuid", string)
    for name in ("instant_deploy", "force_domain_override", "is_container_label_escape_enabled"):
        fields.optional(name, boolean)
    fields.nullable("urls", array).optional("tags", array)
    _check_items(data, fields)
    fields.refuse_unknown(_FIELDS).check()
    if data.get("type") is not None and data.get("docker_compose_raw") is not None:
        raise ApiError(
            422,
            "You cannot provide both service type and docker_compose_raw. Use one or the other.",
        )
    if data.get("environment_name") is None and data.get("environment_uuid") is None:
        raise ApiError(
            422, "You need to provide at least one of environment_name or environment_uuid."
        )


def _require_mode(data: dict[str, Any], fields: Fields) -> None:
    for name, other in (("type", "docker_compose_raw"), ("docker_compose_raw", "type")):
        if data.get(name) is None and data.get(other) is None:
            words, others = name.replace("_", " "), other.replace("_", " ")
            text = f"The {words} field is required when {others} is not present."
            fields.errors[name] = [text]
        else:
            fields.optional(name, string)


def _check_items(data: dict[str, Any], fields: Fields) -> None:
    for position, tag in enumerate(data.get("tags") or [] if _is_list(data, "tags") else []):
        if not isinstance(tag, str):
            fields.errors[f"tags.{position}"] = [f"The tags.{position} field must be a string."]
        elif len(tag) < 2:
            text = f"The tags.{position} field must be at least 2 characters."
            fields.errors[f"tags.{position}"] = [text]
    check_urls(data, fields)


def check_urls(data: dict[str, Any], fields: Fields) -> None:
    for position, item in enumerate(data.get("urls") or [] if _is_list(data, "urls") else []):
        if not isinstance(item, dict):
            fields.errors[f"urls.{position}"] = [f"The urls.{position} field must be an array."]
        elif not isinstance(item.get("name"), str):
            text = f"The urls.{position}.name field must be a string."
            fields.errors[f"urls.{position}.name"] = [text]
        elif not isinstance(item.get("url"), (str, type(None))):
            text = f"The urls.{position}.url field must be a string."
            fields.errors[f"urls.{position}.url"] = [text]


def _is_list(data: dict[str, Any], key: str) -> bool:
    return isinstance(data.get(key), list)


def _parents(call: Call, data: dict[str, Any]) -> tuple[Row, Row]:
    db, team = call.standin.db, call.caller.team_id
    project = projects.by_uuid(db, data["project_uuid"], team)
    if project is None:
        raise not_found("Project")
    environment = _environment(call, project, data)
    server = servers.by_uuid(db, data["server_uuid"], team)
    if server is None:
        raise not_found("Server")
    return environment, server


def _environment(call: Call, project: Row, data: dict[str, Any]) -> Row:
    db, name, uuid = call.standin.db, data.get("environment_name"), data.get("environment_uuid")
    row = projects.environment_by_name(db, project["id"], name) if name else None
    if row is None and uuid:
        row = projects.environment(db, project["id"], uuid)
    if row is None:
        raise not_found("Environment")
    return row


def _destination(call: Call, server: Row, data: dict[str, Any]) -> Row:
    if data.get("type") is not None:
        message = "Invalid service type."
        raise ApiError(404, {"message": message, "valid_service_types": _TEMPLATES})
    rows = servers.destinations(call.standin.db, server["id"])
    wanted = data.get("destination_uuid")
    if not rows:
        raise ApiError(400, "Server has no destinations.")
    if len(rows) == 1:
        return rows[0]
    if wanted is None:
        raise ApiError(400, "Server has multiple destinations and you do not set destination_uuid.")
    chosen = [row for row in rows if row["uuid"] == wanted]
    if not chosen:
        text = "Provided destination_uuid does not belong to the specified server."
        raise invalid({"destination_uuid": text})
    return chosen[0]


def _save(
    call: Call, data: dict[str, Any], environment: Row, server: Row, destination: Row, raw: str
) -> Row:
    escape = data.get("is_container_label_escape_enabled", True)
    values = {
        "name": strip_tags(data.get("name")) or f"service-{random_text(10)}",
        "description": strip_tags(data.get("description")),
        "environment_id": environment["id"],
        "server_id": server["id"],
        "destination_id": destination["id"],
        "docker_compose_raw": raw,
        "is_container_label_escape_enabled": truthy(escape),
    }
    return services.insert(call.standin.db, values, call.standin.clock.now())


def _parse(call: Call, service: Row, data: dict[str, Any]) -> None:
    db, now = call.standin.db, call.standin.clock.now()
    # A fresh model does not know the column's default yet, so `$` is doubled only when asked for.
    escape = truthy(data.get("is_container_label_escape_enabled", False))
    compose.parse(db, service, now, escape_labels=escape)
    if data.get("urls"):
        _apply_urls(call, service, data, escape)
    for tag in data.get("tags") or []:
        details.add_tag(db, service["id"], tag, call.caller.team_id, now)


def _apply_urls(call: Call, service: Row, data: dict[str, Any], escape: bool) -> None:
    db, now = call.standin.db, call.standin.clock.now()
    try:
        force = truthy(data.get("force_domain_override"))
        urls.apply(db, service, data["urls"], force=force)
    except ApiError:
        db.update("services", service["id"], {"deleted_at": now})
        raise
    compose.parse(db, service, now, escape_labels=escape)


def strip_tags(text: str | None) -> str | None:
    return re.sub(r"<[^>]*>", "", text) if text else text
