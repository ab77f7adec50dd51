"""Instance-wide settings."""

from __future__ import annotations

from .database import Database


def api_enabled(db: Database) -> bool:
    """On in the lab from the start; a fresh Coolify has it off (contract 1.4)."""
    row = db.one("SELECT value FROM instance WHERE key = 'is_api_enabled'")
    return row is None or row["value"] == "1"


def set_api_enabled(db: Database, enabled: bool) -> None:
    db.run(
        "INSERT INTO instance (key, value) VALUES ('is_api_enabled', ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        "1" if enabled else "0",
    )
