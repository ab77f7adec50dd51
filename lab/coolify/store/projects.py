"""Projects and environments."""

from __future__ import annotations

from ..ids import new_public_id
from .database import Database, Row


def create(db: Database, name: str, description: str | None, team_id: int, now: float) -> Row:
    """A project with its `production` environment."""
    values = {"name": name, "description": description, "team_id": team_id}
    project_id = db.insert("projects", {**values, **_born(now)})
    create_environment(db, project_id, "production", None, now)
    row = db.one("SELECT * FROM projects WHERE id = ?", project_id)
    assert row is not None
    return row


def create_environment(
    db: Database, project_id: int, name: str, description: str | None, now: float
) -> Row:
    values = {"project_id": project_id, "name": name, "description": description}
    environment_id = db.insert("environments", {**values, **_born(now)})
    row = db.one("SELECT * FROM environments WHERE id = ?", environment_id)
    assert row is not None
    return row


def of_team(db: Database, team_id: int) -> list[Row]:
    return db.all("SELECT * FROM projects WHERE team_id = ? ORDER BY id", team_id)


def by_uuid(db: Database, uuid: str, team_id: int) -> Row | None:
    return db.one("SELECT * FROM projects WHERE uuid = ? AND team_id = ?", uuid, team_id)


def environments(db: Database, project_id: int) -> list[Row]:
    return db.all("SELECT * FROM environments WHERE project_id = ? ORDER BY id", project_id)


def environment(db: Database, project_id: int, name_or_uuid: str) -> Row | None:
    """Name first, then uuid."""
    return environment_by_name(db, project_id, name_or_uuid) or db.one(
        "SELECT * FROM environments WHERE project_id = ? AND uuid = ?", project_id, name_or_uuid
    )


def environment_by_name(db: Database, project_id: int, name: str) -> Row | None:
    return db.one("SELECT * FROM environments WHERE project_id = ? AND name = ?", project_id, name)


def environment_of_team(db: Database, uuid: str, team_id: int) -> Row | None:
    return db.one(
        "SELECT e.*, p.uuid AS project_uuid FROM environments e JOIN projects p "
        "ON p.id = e.project_id WHERE e.uuid = ? AND p.team_id = ?",
        uuid,
        team_id,
    )


def has_resources(db: Database, project_id: int) -> bool:
    return (
        db.one(
            "SELECT 1 FROM services s JOIN environments e ON e.id = s.environment_id "
            "WHERE e.project_id = ? AND s.deleted_at IS NULL LIMIT 1",
            project_id,
        )
        is not None
    )


def delete(db: Database, project_id: int) -> None:
    with db.transaction():
        db.run("DELETE FROM environments WHERE project_id = ?", project_id)
        db.run("DELETE FROM projects WHERE id = ?", project_id)


def _born(now: float) -> dict[str, object]:
    return {"uuid": new_public_id(), "created_at": now, "updated_at": now}
