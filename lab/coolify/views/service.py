"""Services as JSON (contract 2.4, 2.6; keys as recorded live)."""

from __future__ import annotations

from typing import Any

from ..clock import iso, plain
from ..standin import Standin
from ..status.passes import stack_status
from ..store import servers, services
from ..store.database import Database, Row
from ..store.tokens import Caller
from . import project as project_view
from . import server as server_view

_SHARED = ("id", "uuid", "name", "human_name", "description", "exposes", "status", "service_id")


def application(row: Row) -> dict[str, Any]:
    return {
        **_common(row),
        "fqdn": row["fqdn"],
        "redirect": "both",
        "noindex_domains": None if row["noindex_domains"] is None else bool(row["noindex_domains"]),
        "required_fqdn": False,
        "is_force_https_enabled": bool(row["is_force_https_enabled"]),
    }


def database(row: Row) -> dict[str, Any]:
    return {
        **_common(row),
        "public_port": row["public_port"],
        "is_public": bool(row["is_public"]),
        "custom_type": None,
        "public_port_timeout": row["public_port_timeout"],
    }


def sub_resource(row: Row) -> dict[str, Any]:
    return application(row) if row["kind"] == "application" else database(row)


def sub_resource_public(row: Row) -> dict[str, Any]:
    """The item of GET .../applications: without `id`."""
    return {key: value for key, value in sub_resource(row).items() if key != "id"}


def _common(row: Row) -> dict[str, Any]:
    return {
        **{key: row[key] for key in _SHARED},
        "ports": row["ports"] or "",
        "image": row["image"],
        "exclude_from_status": bool(row["exclude_from_status"]),
        "last_online_at": plain(row["last_online_at"]),
        "is_log_drain_enabled": bool(row["is_log_drain_enabled"]),
        "is_include_timestamps": False,
        "is_gzip_enabled": bool(row["is_gzip_enabled"]),
        "is_stripprefix_enabled": bool(row["is_stripprefix_enabled"]),
        "is_migrated": False,
        "deleted_at": None,
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


class ServiceView:
    """Renders many services with a constant number of queries."""

    def __init__(self, standin: Standin, caller: Caller) -> None:
        self._db: Database = standin.db
        self._jobs = standin.jobs
        self._sensitive = caller.sees_sensitive
        self._servers = {row["id"]: row for row in servers.everything(self._db)}
        self._server_json: dict[int, dict[str, Any]] = {}

    def many(
        self, rows: list[Row], *, with_id: bool, through: bool = False
    ) -> list[dict[str, Any]]:
        subs = services.subs_of_many(self._db, [row["id"] for row in rows])
        return [self._item(row, subs[row["id"]], with_id, through) for row in rows]

    def _item(self, row: Row, subs: list[Row], with_id: bool, through: bool) -> dict[str, Any]:
        item = self.body(row, subs)
        if with_id:
            item["id"] = row["id"]
        if through:
            item["laravel_through_key"] = row["project_id"]
            if self._sensitive:
                item["destination"] = self._destination(row)
        return item

    def one(self, row: Row) -> dict[str, Any]:
        """GET /services/{uuid}."""
        body = self.body(row, services.subs(self._db, row["id"]))
        body["environment"] = self._environment(row)
        if self._sensitive:
            body["destination"] = self._destination(row)
        return body

    def inside(self, row: Row, *, relations: bool) -> dict[str, Any]:
        """`service` inside a sub-resource: never the compose texts; `relations` when read alone."""
        body = {"id": row["id"], **self.body(row, services.subs(self._db, row["id"]))}
        if relations:
            body["environment"] = self._environment(row)
            if self._sensitive:
                destination = self._destination(row)
                destination["server"].pop("settings")
                body["destination"] = destination
        return {key: value for key, value in body.items() if not key.startswith("docker_compose")}

    def body(self, row: Row, subs: list[Row]) -> dict[str, Any]:
        server = self._servers[row["server_id"]]
        return {
            **self._columns(row),
            "server_status": servers.functional(server),
            "status": stack_status(subs, busy=self._jobs.is_starting(row["id"])),
            "server": self._server(server),
            "applications": [application(sub) for sub in subs if sub["kind"] == "application"],
            "databases": [database(sub) for sub in subs if sub["kind"] == "database"],
        }

    def _columns(self, row: Row) -> dict[str, Any]:
        keys = ("uuid", "name", "environment_id", "server_id", "destination_id", "config_hash")
        columns: dict[str, Any] = {
            **{key: row[key] for key in keys},
            "description": row["description"] or "",
            "destination_type": "App\\Models\\StandaloneDocker",
            "connect_to_docker_network": bool(row["connect_to_docker_network"]),
            "is_container_label_escape_enabled": bool(row["is_container_label_escape_enabled"]),
            "service_type": None,
            "compose_parsing_version": "5",
            "deleted_at": None,
            "created_at": iso(row["created_at"]),
            "updated_at": iso(row["updated_at"]),
        }
        if self._sensitive:
            columns["docker_compose_raw"] = row["docker_compose_raw"]
            columns["docker_compose"] = row["docker_compose"]
        return columns

    def _server(self, row: Row) -> dict[str, Any]:
        if row["id"] not in self._server_json:
            self._server_json[row["id"]] = server_view.nested(row, sensitive=False)
        return self._server_json[row["id"]]

    def _destination(self, row: Row) -> dict[str, Any]:
        destination = self._db.one("SELECT * FROM destinations WHERE id = ?", row["destination_id"])
        assert destination is not None
        return {
            **{key: destination[key] for key in ("id", "name", "uuid", "network", "server_id")},
            "created_at": iso(destination["created_at"]),
            "updated_at": iso(destination["updated_at"]),
            # Only this copy of the server shows the sensitive settings (seen live).
            "server": server_view.nested(self._servers[row["server_id"]], sensitive=True),
        }

    def _environment(self, row: Row) -> dict[str, Any]:
        environment = self._db.one("SELECT * FROM environments WHERE id = ?", row["environment_id"])
        assert environment is not None
        project = self._db.one("SELECT * FROM projects WHERE id = ?", environment["project_id"])
        assert project is not None
        return project_view.nested(environment, project)
