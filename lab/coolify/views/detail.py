"""What hangs on a service, as JSON (contract 2.10, 2.12)."""

from __future__ import annotations

from typing import Any

from ..clock import iso
from ..lifecycle.dotenv import real_value
from ..settings import VERSION
from ..store.database import Row


def variable(row: Row, *, sensitive: bool, omit: tuple[str, ...] = ()) -> dict[str, Any]:
    """`omit`: keys that Coolify leaves out of the answer to a creation (live finding 8)."""
    body = {
        "uuid": row["uuid"],
        "comment": row["comment"],
        "is_buildpack_control": False,
        "is_buildtime": True,
        "is_coolify": False,
        "is_literal": bool(row["is_literal"]),
        "is_multiline": bool(row["is_multiline"]),
        "is_preview": False,
        "is_really_required": bool(row["is_required"] and row["value"] is None),
        "is_required": bool(row["is_required"]),
        "is_runtime": True,
        "is_shared": False,
        "is_shown_once": bool(row["is_shown_once"]),
        "key": row["key"],
        "order": None,
        "version": VERSION,
        **_times(row),
    }
    if sensitive and not row["is_shown_once"]:
        body |= {"value": row["value"], "real_value": real_value(row)}
    return {key: value for key, value in body.items() if key not in omit}


def tag(row: Row) -> dict[str, Any]:
    return {"uuid": row["uuid"], "name": row["name"], **_times(row)}


def task(row: Row) -> dict[str, Any]:
    keys = ("uuid", "name", "command", "container", "frequency", "timeout")
    return {**{key: row[key] for key in keys}, "enabled": bool(row["enabled"]), **_times(row)}


def execution(row: Row) -> dict[str, Any]:
    keys = ("uuid", "status", "message", "duration", "error_details")
    finished = iso(row["finished_at"]) if row["finished_at"] else None
    return {
        **{key: row[key] for key in keys},
        "retry_count": 0,
        "started_at": iso(row["started_at"]),
        "finished_at": finished,
        **_times(row),
    }


def persistent_storage(row: Row, owner: Row) -> dict[str, Any]:
    return {
        **{key: row[key] for key in ("id", "uuid", "name", "mount_path", "host_path")},
        "container_id": None,
        "is_preview_suffix_enabled": True,
        **_owner(owner),
        **_times(row),
    }


def file_storage(row: Row, owner: Row, *, sensitive: bool) -> dict[str, Any]:
    body = {
        **{key: row[key] for key in ("id", "uuid", "fs_path", "mount_path")},
        "is_directory": bool(row["is_directory"]),
        "chown": None,
        "chmod": None,
        "is_based_on_git": False,
        "is_preview_suffix_enabled": True,
        "is_host_file": False,
        "is_binary": False,
        "is_too_large": False,
        **_owner(owner),
        **_times(row),
    }
    return {**body, "content": row["content"]} if sensitive else body


def _owner(owner: Row) -> dict[str, Any]:
    return {
        "resource_type": owner["kind"],
        "resource_id": owner["id"],
        "resource_uuid": owner["uuid"],
    }


def _times(row: Row) -> dict[str, str]:
    return {"created_at": iso(row["created_at"]), "updated_at": iso(row["updated_at"])}
