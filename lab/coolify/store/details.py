"""What hangs on a service: variables, storages, tags, scheduled tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ids import new_public_id
from ..rewrite.variables import Variable
from ..rewrite.volumes import Storage
from .database import Database, Row


def variables(db: Database, service_id: int) -> list[Row]:
    return db.all("SELECT * FROM variables WHERE service_id = ? ORDER BY id", service_id)


def variable(db: Database, service_id: int, key: str) -> Row | None:
    return db.one("SELECT * FROM variables WHERE service_id = ? AND key = ?", service_id, key)


def add_variable(db: Database, service_id: int, values: Mapping[str, object], now: float) -> Row:
    row_id = db.insert("variables", {**values, **_born(now), "service_id": service_id})
    row = db.one("SELECT * FROM variables WHERE id = ?", row_id)
    assert row is not None
    return row


def keep_variables(db: Database, service_id: int, wanted: Sequence[Variable], now: float) -> None:
    """Create missing variables; existing values win over the compose file's defaults."""
    known = {row["key"] for row in variables(db, service_id)}
    for item in wanted:
        if item.key in known:
            continue
        known.add(item.key)
        wish = {"key": item.key, "value": item.value, "is_required": item.is_required}
        add_variable(db, service_id, wish, now)


def keep_storages(
    db: Database, service_id: int, sub_ids: dict[str, int], wanted: Sequence[Storage], now: float
) -> None:
    rows = db.all(
        "SELECT sub_resource_id, mount_path FROM storages WHERE service_id = ?", service_id
    )
    known = {(row["sub_resource_id"], row["mount_path"]) for row in rows}
    for item in wanted:
        owner = sub_ids[item.service]
        if (owner, item.mount_path) in known:
            continue
        known.add((owner, item.mount_path))
        values = {"type": item.type, "name": item.name, "fs_path": item.fs_path}
        add_storage(db, service_id, owner, {**values, "mount_path": item.mount_path}, now)


def add_storage(
    db: Database, service_id: int, sub_id: int, values: dict[str, object], now: float
) -> Row:
    born = {**_born(now), "service_id": service_id, "sub_resource_id": sub_id}
    row_id = db.insert("storages", {**values, **born})
    row = db.one("SELECT * FROM storages WHERE id = ?", row_id)
    assert row is not None
    return row


def storages(db: Database, service_id: int) -> list[Row]:
    return db.all("SELECT * FROM storages WHERE service_id = ? ORDER BY id", service_id)


def tags(db: Database, service_id: int) -> list[Row]:
    return db.all(
        "SELECT t.* FROM tags t JOIN service_tags st ON st.tag_id = t.id "
        "WHERE st.service_id = ? ORDER BY t.id",
        service_id,
    )


def team_tags(db: Database, team_id: int) -> list[Row]:
    return db.all("SELECT * FROM tags WHERE team_id = ? ORDER BY id", team_id)


def add_tag(db: Database, service_id: int, name: str, team_id: int, now: float) -> None:
    lowered = name.strip().lower()
    row = db.one("SELECT id FROM tags WHERE team_id = ? AND name = ?", team_id, lowered)
    tag_id = (
        row["id"] if row else db.insert("tags", {"name": lowered, "team_id": team_id, **_born(now)})
    )
    db.run(
        "INSERT OR IGNORE INTO service_tags (service_id, tag_id) VALUES (?, ?)", service_id, tag_id
    )


def remove_tag(db: Database, service_id: int, tag_id: int) -> None:
    """Detach; a tag that nothing carries any more disappears."""
    db.run("DELETE FROM service_tags WHERE service_id = ? AND tag_id = ?", service_id, tag_id)
    if db.one("SELECT 1 FROM service_tags WHERE tag_id = ?", tag_id) is None:
        db.run("DELETE FROM tags WHERE id = ?", tag_id)


def tasks(db: Database, service_id: int) -> list[Row]:
    return db.all("SELECT * FROM tasks WHERE service_id = ? ORDER BY id", service_id)


def task(db: Database, service_id: int, uuid: str) -> Row | None:
    return db.one("SELECT * FROM tasks WHERE service_id = ? AND uuid = ?", service_id, uuid)


def add_task(db: Database, service_id: int, values: dict[str, object], now: float) -> Row:
    row_id = db.insert("tasks", {**values, **_born(now), "service_id": service_id})
    row = db.one("SELECT * FROM tasks WHERE id = ?", row_id)
    assert row is not None
    return row


def executions(db: Database, task_id: int) -> list[Row]:
    return db.all("SELECT * FROM executions WHERE task_id = ? ORDER BY id DESC", task_id)


def add_execution(db: Database, task_id: int, now: float) -> int:
    values = {"task_id": task_id, "status": "running", "started_at": now}
    return db.insert("executions", {**values, **_born(now)})


def _born(now: float) -> dict[str, object]:
    return {"uuid": new_public_id(), "created_at": now, "updated_at": now}
