"""`urls` of a service: checks, conflicts, storing (contract 2.5)."""

from __future__ import annotations

import re
from typing import Any

from ..http.errors import ApiError, invalid
from ..store import services
from ..store.database import Database, Row

_URL = re.compile(r"^https?://[^\s/$.?#][^\s]*$", re.IGNORECASE)
_WARNING = (
    "Using the same domain for multiple resources can cause routing conflicts "
    "and unpredictable behavior."
)


def apply(db: Database, service: Row, urls: list[Any], *, force: bool) -> None:
    """Store the domains. Raises ApiError: 422 with a bare list, or 409."""
    subs = {row["name"]: row for row in services.subs(db, service["id"], "application")}
    wanted = {str(item["name"]): _split(item.get("url")) for item in urls}
    problems = [
        f"Service container with '{name}' not found." for name in wanted if name not in subs
    ]
    for listed in wanted.values():
        problems += [f"Invalid URL: {url}" for url in listed if not _URL.match(url)]
    if problems:
        raise invalid(problems)
    if not force:
        _refuse_conflicts(db, service, wanted)
    for name, listed in wanted.items():
        db.update("sub_resources", subs[name]["id"], {"fqdn": ",".join(listed) or None})


def domains(db: Database, service: Row) -> list[str]:
    return [row["fqdn"] for row in services.subs(db, service["id"]) if row["fqdn"]]


def _split(url: Any) -> list[str]:
    return [part.strip() for part in str(url or "").split(",") if part.strip()]


def _refuse_conflicts(db: Database, service: Row, wanted: dict[str, list[str]]) -> None:
    taken = db.all(
        "SELECT r.*, s.name AS service_name FROM sub_resources r JOIN services s "
        "ON s.id = r.service_id WHERE r.fqdn IS NOT NULL AND s.deleted_at IS NULL AND s.id <> ?",
        service["id"],
    )
    asked = {url for listed in wanted.values() for url in listed}
    conflicts = [
        _conflict(url, row) for row in taken for url in row["fqdn"].split(",") if url in asked
    ]
    if conflicts:
        message = "Domain conflicts detected. Use force_domain_override=true to proceed."
        raise ApiError(409, {"message": message, "conflicts": conflicts, "warning": _WARNING})


def _conflict(url: str, row: Row) -> dict[str, str]:
    name = row["service_name"]
    return {
        "domain": url,
        "resource_name": name,
        "resource_uuid": row["uuid"],
        "resource_type": "service",
        "message": f"Domain {url} is already in use by service '{name}'",
    }
