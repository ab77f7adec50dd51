"""Services of other people: many rows, nothing on any server, for measuring."""

from __future__ import annotations

from .ids import new_public_id
from .store import projects, servers
from .store.database import Database

PROJECT = "foreign"
_RAW = "services:\n  app:\n    image: 'example.invalid/app:1'\n"


def create_foreign(db: Database, count: int, now: float) -> int:
    """`count` services foreign-0001..., spread over all servers, in a project of their own."""
    rows = servers.everything(db)
    if not rows:
        raise ValueError("the seed has no servers")
    with db.transaction():
        project = _project(db, now)
        targets = [(row["id"], servers.destinations(db, row["id"])[0]["id"]) for row in rows]
        first = _next_id(db)
        services: list[tuple[object, ...]] = []
        subs: list[tuple[object, ...]] = []
        for offset in range(count):
            server_id, destination_id = targets[offset % len(targets)]
            service = (first + offset, new_public_id(), f"foreign-{offset + 1:04d}", project)
            services.append((*service, server_id, destination_id, _RAW, _RAW, now, now))
            subs.append((new_public_id(), first + offset, now, now, now))
        _insert(db, services, subs)
    return count


def _insert(
    db: Database, services: list[tuple[object, ...]], subs: list[tuple[object, ...]]
) -> None:
    db.run_many(
        "INSERT INTO services (id, uuid, name, environment_id, server_id, destination_id, "
        "docker_compose_raw, docker_compose, created_at, updated_at, simulated) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        services,
    )
    db.run_many(
        "INSERT INTO sub_resources (uuid, service_id, kind, name, image, ports, status, "
        "last_online_at, created_at, updated_at) VALUES "
        "(?, ?, 'application', 'app', 'example.invalid/app:1', '', 'running:healthy', ?, ?, ?)",
        subs,
    )


def delete_foreign(db: Database) -> None:
    with db.transaction():
        db.run(
            "DELETE FROM sub_resources WHERE service_id IN "
            "(SELECT id FROM services WHERE simulated = 1)"
        )
        db.run("DELETE FROM services WHERE simulated = 1")


def _project(db: Database, now: float) -> int:
    found = db.one("SELECT id FROM projects WHERE name = ? AND team_id = 0", PROJECT)
    project_id = found["id"] if found else projects.create(db, PROJECT, None, 0, now)["id"]
    environment = projects.environment_by_name(db, project_id, "production")
    assert environment is not None
    return int(environment["id"])


def _next_id(db: Database) -> int:
    row = db.one(
        "SELECT max(coalesce((SELECT max(id) FROM services), 0), "
        "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'services'), 0)) AS top"
    )
    return int(row["top"]) + 1 if row else 1
