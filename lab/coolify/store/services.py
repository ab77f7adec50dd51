"""Service rows and their sub-resources."""

from __future__ import annotations

from collections.abc import Sequence

from ..ids import new_public_id
from ..rewrite.parser import SubResource
from .database import Database, Row

_OF_TEAM = (
    "FROM services s JOIN environments e ON e.id = s.environment_id "
    "JOIN projects p ON p.id = e.project_id WHERE s.deleted_at IS NULL AND p.team_id = ?"
)


def insert(db: Database, values: dict[str, object], now: float) -> Row:
    born = {"uuid": new_public_id(), "created_at": now, "updated_at": now}
    return by_id(db, db.insert("services", {**born, **values}))


def by_id(db: Database, service_id: int) -> Row:
    row = db.one("SELECT * FROM services WHERE id = ?", service_id)
    if row is None:
        raise KeyError(service_id)
    return row


def exists(db: Database, service_id: int) -> bool:
    return db.one("SELECT 1 FROM services WHERE id = ?", service_id) is not None


def by_uuid(db: Database, uuid: str, team_id: int) -> Row | None:
    return db.one(f"SELECT s.* {_OF_TEAM} AND s.uuid = ?", team_id, uuid)


def of_team(db: Database, team_id: int) -> list[Row]:
    return db.all(f"SELECT s.*, p.id AS project_id {_OF_TEAM} ORDER BY s.id", team_id)


def of_environment(db: Database, environment_id: int) -> list[Row]:
    return db.all(
        "SELECT * FROM services WHERE environment_id = ? AND deleted_at IS NULL ORDER BY id",
        environment_id,
    )


def of_server(db: Database, server_id: int) -> list[Row]:
    return db.all(
        "SELECT * FROM services WHERE server_id = ? AND deleted_at IS NULL ORDER BY id", server_id
    )


def of_tag(db: Database, tag: str, team_id: int) -> list[Row]:
    return db.all(
        f"SELECT s.* {_OF_TEAM} AND s.id IN (SELECT st.service_id "  # noqa: S608
        "FROM service_tags st JOIN tags t ON t.id = st.tag_id WHERE t.name = ?) ORDER BY s.id",
        team_id,
        tag,
    )


def pending_deletions(db: Database) -> list[Row]:
    return db.all("SELECT * FROM services WHERE deleting IS NOT NULL AND deleted_at IS NULL")


def soft_deleted(db: Database) -> list[Row]:
    return db.all("SELECT * FROM services WHERE deleted_at IS NOT NULL ORDER BY id")


def purge(db: Database, service_id: int) -> None:
    """Remove a service and everything that hangs on it."""
    with db.transaction():
        db.run(
            "DELETE FROM executions WHERE task_id IN (SELECT id FROM tasks WHERE service_id = ?)",
            service_id,
        )
        for table in ("tasks", "service_tags", "storages", "variables", "sub_resources"):
            db.run(f"DELETE FROM {table} WHERE service_id = ?", service_id)  # noqa: S608
        db.run("DELETE FROM services WHERE id = ?", service_id)


def subs(db: Database, service_id: int, kind: str | None = None) -> list[Row]:
    rows = db.all("SELECT * FROM sub_resources WHERE service_id = ? ORDER BY id", service_id)
    return [row for row in rows if kind is None or row["kind"] == kind]


def subs_of_many(db: Database, service_ids: Sequence[int]) -> dict[int, list[Row]]:
    """Sub-resources by service id, in batches below SQLite's variable limit."""
    found: dict[int, list[Row]] = {service_id: [] for service_id in service_ids}
    for start in range(0, len(service_ids), 500):
        batch = service_ids[start : start + 500]
        marks = ", ".join("?" for _ in batch)
        rows = db.all(
            f"SELECT * FROM sub_resources WHERE service_id IN ({marks}) ORDER BY id",  # noqa: S608
            *batch,
        )
        for row in rows:
            found[row["service_id"]].append(row)
    return found


def sub(db: Database, service_id: int, kind: str, uuid: str) -> Row | None:
    return db.one(
        "SELECT * FROM sub_resources WHERE service_id = ? AND kind = ? AND uuid = ?",
        service_id,
        kind,
        uuid,
    )


def reconcile_subs(
    db: Database, service_id: int, wanted: Sequence[SubResource], now: float
) -> dict[str, int]:
    """Create or refresh a row per compose service; rows of removed ones stay (contract 3.10).

    Returns the row ids by compose service name.
    """
    known = {row["name"]: row for row in subs(db, service_id)}
    return {
        item.name: _reconcile(db, service_id, item, known.get(item.name), now) for item in wanted
    }


def _reconcile(
    db: Database, service_id: int, item: SubResource, row: Row | None, now: float
) -> int:
    values: dict[str, object] = {
        "image": item.image,
        "ports": item.ports,
        "exposes": item.exposes,
    }
    if item.excluded:
        values["exclude_from_status"] = True
    if row is not None:
        db.update("sub_resources", row["id"], values)
        return int(row["id"])
    born = {"uuid": new_public_id(), "created_at": now, "updated_at": now, "last_online_at": now}
    return db.insert(
        "sub_resources",
        {**values, **born, "service_id": service_id, "kind": item.kind, "name": item.name},
    )


def set_status(db: Database, sub_ids: Sequence[int], status: str, now: float) -> None:
    db.run_many(
        "UPDATE sub_resources SET status = ?, updated_at = ? WHERE id = ?",
        [(status, now, sub_id) for sub_id in sub_ids],
    )
