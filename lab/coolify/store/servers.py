"""Servers and their destinations."""

from __future__ import annotations

import json
from typing import Any

from ..ids import new_public_id
from ..settings import SeedServer
from .database import Database, Row

CLEANUP_DEFAULTS: dict[str, Any] = {
    "docker_cleanup_frequency": "0 0 * * *",
    "docker_cleanup_threshold": 80,
    "force_docker_cleanup": True,
    "delete_unused_volumes": False,
    "delete_unused_networks": False,
    "disable_application_image_retention": False,
}
SENTINEL_DEFAULTS: dict[str, Any] = {
    "is_sentinel_enabled": True,
    "is_metrics_enabled": False,
    "is_sentinel_debug_enabled": False,
    "sentinel_metrics_refresh_rate_seconds": 10,
    "sentinel_metrics_history_days": 7,
    "sentinel_push_interval_seconds": 60,
}


def seed(db: Database, server: SeedServer, now: float) -> None:
    """Create the server, or bring address and user of an existing one (same name) up to date."""
    known = db.one("SELECT id FROM servers WHERE name = ?", server.name)
    address = {"ip": server.ip, "port": server.port, "user": server.user, "updated_at": now}
    if known is not None:
        db.update("servers", known["id"], address)
        return
    server_id = db.insert(
        "servers",
        {
            **address,
            "uuid": server.uuid or new_public_id(),
            "name": server.name,
            "is_reachable": server.is_reachable,
            "is_usable": server.is_usable,
            "cleanup": json.dumps(CLEANUP_DEFAULTS),
            "sentinel": json.dumps(SENTINEL_DEFAULTS),
            "created_at": now,
        },
    )
    for name, network in server.destinations:
        add_destination(db, server_id, name, network, now)


def add_destination(db: Database, server_id: int, name: str, network: str, now: float) -> Row:
    row_id = db.insert(
        "destinations",
        {
            "uuid": new_public_id(),
            "server_id": server_id,
            "name": name,
            "network": network,
            "created_at": now,
            "updated_at": now,
        },
    )
    row = db.one("SELECT * FROM destinations WHERE id = ?", row_id)
    assert row is not None
    return row


def everything(db: Database) -> list[Row]:
    return db.all("SELECT * FROM servers ORDER BY id")


def of_team(db: Database, team_id: int) -> list[Row]:
    return db.all("SELECT * FROM servers WHERE team_id = ? ORDER BY id", team_id)


def by_uuid(db: Database, uuid: str, team_id: int) -> Row | None:
    return db.one("SELECT * FROM servers WHERE uuid = ? AND team_id = ?", uuid, team_id)


def by_id(db: Database, server_id: int) -> Row:
    row = db.one("SELECT * FROM servers WHERE id = ?", server_id)
    assert row is not None
    return row


def by_name(db: Database, name: str) -> Row | None:
    return db.one("SELECT * FROM servers WHERE name = ?", name)


def destinations(db: Database, server_id: int) -> list[Row]:
    return db.all("SELECT * FROM destinations WHERE server_id = ? ORDER BY id", server_id)


def reachable(server: Row) -> bool:
    """What Coolify believes; a value forced by the lab wins."""
    forced = server["forced_reachable"]
    return bool(server["is_reachable"] if forced is None else forced)


def usable(server: Row) -> bool:
    forced = server["forced_usable"]
    return bool(server["is_usable"] if forced is None else forced)


def functional(server: Row) -> bool:
    return reachable(server) and usable(server)


def mark_seen(db: Database, server: Row, seen: bool, now: float) -> None:
    """Record the outcome of a connection check."""
    if seen == bool(server["is_reachable"]) == bool(server["is_usable"]):
        return
    missed = 0 if seen else server["unreachable_count"] + 1
    values = {"is_reachable": seen, "is_usable": seen, "unreachable_count": missed}
    db.update("servers", server["id"], {**values, "updated_at": now})
