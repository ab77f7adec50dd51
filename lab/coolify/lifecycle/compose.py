"""Parsing a stored service: raw text in, generated file, rows and `.env` out."""

from __future__ import annotations

import hashlib
from typing import Any

from ..rewrite import dumper, loader
from ..rewrite.errors import ParserError
from ..rewrite.labels import Identity
from ..rewrite.parser import rewrite, service_names, sub_resources
from ..store import details, services
from ..store.database import Database, Row
from .dotenv import render


def raw_document(service: Row) -> dict[str, Any]:
    document = loader.load(service["docker_compose_raw"])
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise ParserError("the stored compose file has no services")
    return document


def parse(db: Database, service: Row, now: float, *, escape_labels: bool | None = None) -> None:
    """Re-parse the raw file and store what follows from it.

    Nothing is rolled back when the parser throws: what was saved before stays, as in Coolify.
    `escape_labels`: None takes the service's own setting. Raises ParserError.
    """
    raw = raw_document(service)
    sub_ids = services.reconcile_subs(db, service["id"], sub_resources(raw), now)
    escape = (
        bool(service["is_container_label_escape_enabled"])
        if escape_labels is None
        else escape_labels
    )
    parsed = rewrite(
        raw,
        _identity(db, service),
        sub_ids.__getitem__,
        stored={row["key"]: row["value"] for row in details.variables(db, service["id"])},
        domains={
            row["name"]: row["fqdn"] for row in services.subs(db, service["id"]) if row["fqdn"]
        },
        escape_labels=escape,
    )
    details.keep_variables(db, service["id"], parsed.variables, now)
    details.keep_storages(db, service["id"], sub_ids, parsed.storages, now)
    db.update("services", service["id"], {"docker_compose": dumper.dump(parsed.document)})


def env_file(db: Database, service: Row) -> str:
    names = service_names([str(name) for name in raw_document(service)["services"]])
    return render(names, details.variables(db, service["id"]))


def joins_own_network(service: Row) -> bool:
    """Whether any container of the generated file uses the `<uuid>` network."""
    document = loader.load(service["docker_compose"] or "")
    return service["uuid"] in ((document or {}).get("networks") or {})


def config_hash(db: Database, service: Row) -> str:
    text = (service["docker_compose_raw"] or "") + env_file(db, service)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def set_image(db: Database, service: Row, name: str, image: str | None, now: float) -> None:
    """Write an image back into the raw file, also for a removed service (live finding 2)."""
    raw = raw_document(service)
    body = raw["services"].setdefault(name, {})
    if isinstance(body, dict) and image is not None:
        body["image"] = image
    values = {"docker_compose_raw": dumper.dump(raw), "updated_at": now}
    db.update("services", service["id"], values)


def _identity(db: Database, service: Row) -> Identity:
    row = db.one(
        "SELECT e.name AS environment, p.name AS project FROM environments e "
        "JOIN projects p ON p.id = e.project_id WHERE e.id = ?",
        service["environment_id"],
    )
    assert row is not None
    return Identity(
        uuid=service["uuid"],
        service_id=service["id"],
        stack=service["name"],
        project=row["project"],
        environment=row["environment"],
    )
