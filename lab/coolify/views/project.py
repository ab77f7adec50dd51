"""Projects and environments as JSON (contract 2.2)."""

from __future__ import annotations

from typing import Any

from ..clock import iso
from ..store.database import Row

_RESOURCES = ("applications", "mariadbs", "mongodbs", "mysqls", "postgresqls", "redis")
TEAM: dict[str, Any] = {
    "id": 0,
    "name": "Root Team",
    "description": "The root team",
    "personal_team": True,
    "show_boarding": True,
    "custom_server_limit": None,
    "is_mcp_server_enabled": True,
}


def listed(row: Row) -> dict[str, Any]:
    keys = ("id", "uuid", "name")
    return {**{key: row[key] for key in keys}, "description": row["description"] or ""}


def columns(row: Row) -> dict[str, Any]:
    return {
        **listed(row),
        "icon_path": None,
        "icon_s3_storage_id": None,
        "icon_storage_type": None,
        "team_id": row["team_id"],
        **_times(row),
    }


def detail(row: Row, environments: list[Row]) -> dict[str, Any]:
    return {**columns(row), "environments": [environment(item) for item in environments]}


def environment(row: Row) -> dict[str, Any]:
    keys = ("id", "uuid", "name", "description", "project_id")
    return {**{key: row[key] for key in keys}, **_times(row)}


def environment_short(row: Row) -> dict[str, Any]:
    return {key: row[key] for key in ("id", "uuid", "name")}


def environment_detail(row: Row, services: list[dict[str, Any]]) -> dict[str, Any]:
    empty: dict[str, Any] = {name: [] for name in _RESOURCES}
    return {**environment(row), **empty, "services": services}


def nested(environment_row: Row, project_row: Row) -> dict[str, Any]:
    """The environment inside GET /services/{uuid}."""
    team = {**TEAM, "id": project_row["team_id"], **_times(project_row)}
    return {**environment(environment_row), "project": {**columns(project_row), "team": team}}


def _times(row: Row) -> dict[str, str]:
    return {"created_at": iso(row["created_at"]), "updated_at": iso(row["updated_at"])}
