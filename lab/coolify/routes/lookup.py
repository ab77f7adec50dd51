"""Finding what a path names, or 404."""

from __future__ import annotations

from ..http.errors import not_found
from ..http.pipeline import Call
from ..store import projects, servers, services
from ..store.database import Row


def service(call: Call) -> Row:
    row = services.by_uuid(call.standin.db, call.path["uuid"], call.caller.team_id)
    if row is None:
        raise not_found("Service")
    return row


def server(call: Call, key: str = "uuid") -> Row:
    row = servers.by_uuid(call.standin.db, call.path[key], call.caller.team_id)
    if row is None:
        raise not_found("Server")
    return row


def project(call: Call) -> Row:
    row = projects.by_uuid(call.standin.db, call.path["uuid"], call.caller.team_id)
    if row is None:
        raise not_found("Project")
    return row


def sub_resource(call: Call, kind: str) -> tuple[Row, Row]:
    """(service, sub-resource) of .../applications/{sub_uuid} or .../databases/{sub_uuid}."""
    parent = service(call)
    row = services.sub(call.standin.db, parent["id"], kind, call.path["sub_uuid"])
    if row is None:
        raise not_found(f"Service {kind}")
    return parent, row
