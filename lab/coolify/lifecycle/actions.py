"""Start, stop, restart and delete, as Coolify's actions and jobs do them (contract 4)."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from ..clock import Clock
from ..hosts.base import Completed, Host
from ..settings import Settings
from ..store import details, servers, services
from ..store.database import Database, Row
from . import compose, scripts
from .jobs import Jobs

log = logging.getLogger("lab.coolify.actions")


class HostUnreachableError(Exception):
    """The server does not answer."""


@dataclass(frozen=True)
class DeleteFlags:
    """Query flags of DELETE; Coolify's defaults are all true."""

    delete_configurations: bool = True
    delete_volumes: bool = True
    docker_cleanup: bool = True
    delete_connected_networks: bool = True


class Actions:
    def __init__(
        self, db: Database, host: Host, clock: Clock, jobs: Jobs, settings: Settings
    ) -> None:
        self._db, self._host, self._clock = db, host, clock
        self._jobs, self._settings = jobs, settings

    async def start(self, service_id: int, *, pull: bool = False) -> None:
        """Write the files and recreate every container; the stored status is not touched.

        Raises HostUnreachableError before anything is reported as starting.
        """
        server = self._server(service_id)
        self._prepare(service_id)
        with self._jobs.starting(service_id):
            await self._up(service_id, server, pull=pull)

    async def _up(self, service_id: int, server: Row, *, pull: bool) -> None:
        service = services.by_id(self._db, service_id)
        uuid = service["uuid"]
        lines = [self._files(service)]
        if pull:
            lines.append(scripts.pull(uuid))
        network = compose.joins_own_network(service)
        lines.append(scripts.up(uuid, network=network, connect=self._connections(service)))
        self._report(f"start of {uuid}", await self._run(server, "\n".join(lines)))

    async def start_one(self, service_id: int, sub: Row, *, pull: bool, build: bool) -> None:
        server = self._server(service_id)
        self._prepare(service_id)
        with self._jobs.starting(service_id):
            service = services.by_id(self._db, service_id)
            lines = [self._files(service)]
            if pull:
                lines.append(scripts.pull(service["uuid"], sub["name"]))
            lines.append(scripts.up_one(service["uuid"], sub["name"], build=build))
            self._report(f"start of {sub['name']}", await self._run(server, "\n".join(lines)))

    async def restart_one(self, service_id: int, sub: Row) -> None:
        container = self._container(service_id, sub)
        await self._run(self._server(service_id), scripts.restart_one(container))

    async def stop_one(self, service_id: int, sub: Row) -> None:
        container = self._container(service_id, sub)
        await self._run(self._server(service_id), scripts.stop_one(container))
        services.set_status(self._db, [sub["id"]], "exited", self._clock.now())

    async def restart(self, service_id: int, *, latest: bool) -> None:
        """Without `latest` everything is stopped first (contract 4.2)."""
        if not latest:
            await self.stop(service_id)
        await self.start(service_id, pull=latest)

    async def stop(self, service_id: int, *, docker_cleanup: bool = False) -> None:
        """Stop and remove the containers; the rows become `exited` whatever the host said."""
        service = services.by_id(self._db, service_id)
        rows = services.subs(self._db, service_id)
        server = servers.by_id(self._db, service["server_id"])
        if rows and servers.functional(server):
            names = [f"{row['name']}-{service['uuid']}" for row in rows]
            script = scripts.stop(names, server["docker_version"])
            self._report(f"stop of {service['uuid']}", await self._run(server, script))
        services.set_status(self._db, [row["id"] for row in rows], "exited", self._clock.now())
        if docker_cleanup:
            await self.prune(server)

    async def prune(self, server: Row) -> None:
        if servers.functional(server):
            self._report(f"clean-up of {server['name']}", await self._run(server, scripts.prune()))

    async def delete(self, service_id: int) -> None:
        """The queued deletion; then soft-deleted leftovers go, with default flags (finding 1)."""
        await self._remove(services.by_id(self._db, service_id))
        for leftover in services.soft_deleted(self._db):
            await self._remove(leftover)

    async def _remove(self, service: Row) -> None:
        flags = DeleteFlags(**json.loads(service["deleting"] or "{}"))
        await self.stop(service["id"])
        server = servers.by_id(self._db, service["server_id"])
        if servers.functional(server):
            await self._run(server, self._removal_script(service, flags))
        if flags.docker_cleanup:
            await self.prune(server)
        services.purge(self._db, service["id"])

    def _removal_script(self, service: Row, flags: DeleteFlags) -> str:
        lines = ["true"]
        if flags.delete_volumes:
            stored = details.storages(self._db, service["id"])
            names = [row["name"] for row in stored if row["type"] == "persistent"]
            lines.append(scripts.remove_volumes(names))
        if flags.delete_connected_networks:
            lines.append(scripts.remove_network(service["uuid"]))
        if flags.delete_configurations:
            lines.append(scripts.remove_directory(service["uuid"]))
        return "\n".join(line for line in lines if line)

    async def validate(self, server_id: int) -> None:
        server = servers.by_id(self._db, server_id)
        result = await self._run(server, scripts.versions(), timeout_s=60)
        now = self._clock.now()
        servers.mark_seen(self._db, server, result.ok, now)
        if result.ok:
            docker, _, composer = result.stdout.strip().partition("\n")
            values = {"docker_version": docker, "compose_version": composer or None}
            checked = {"versions_checked_at": now, "validation_logs": None, "updated_at": now}
            self._db.update("servers", server_id, {**values, **checked})
        else:
            self._db.update("servers", server_id, {"validation_logs": "Server is not reachable."})

    def _prepare(self, service_id: int) -> None:
        now = self._clock.now()
        compose.parse(self._db, services.by_id(self._db, service_id), now)
        service = services.by_id(self._db, service_id)
        values = {"config_hash": compose.config_hash(self._db, service), "updated_at": now}
        self._db.update("services", service_id, values)

    def _files(self, service: Row) -> str:
        env = compose.env_file(self._db, service)
        return scripts.write_files(service["uuid"], service["docker_compose"], env)

    def _connections(self, service: Row) -> list[tuple[str, str]]:
        if not service["connect_to_docker_network"]:
            return []
        destination = self._db.one(
            "SELECT network FROM destinations WHERE id = ?", service["destination_id"]
        )
        network = destination["network"] if destination else "coolify"
        rows = services.subs(self._db, service["id"])
        return [(network, f"{row['name']}-{service['uuid']}") for row in rows]

    def _server(self, service_id: int) -> Row:
        service = services.by_id(self._db, service_id)
        server = servers.by_id(self._db, service["server_id"])
        if not servers.functional(server):
            raise HostUnreachableError(server["name"])
        return server

    def _container(self, service_id: int, sub: Row) -> str:
        return f"{sub['name']}-{services.by_id(self._db, service_id)['uuid']}"

    async def _run(self, server: Row, script: str, *, timeout_s: float | None = None) -> Completed:
        limit = self._settings.job_timeout_s if timeout_s is None else timeout_s
        result = await self._host.run(server, script, timeout_s=limit)
        if result.unreachable:
            servers.mark_seen(self._db, server, False, self._clock.now())
        return result

    def _report(self, what: str, result: Completed) -> None:
        """A failed host command is invisible in the API; the server's own log has the last line."""
        if not result.ok:
            last = (result.stderr.strip().splitlines() or [""])[-1]
            log.warning("%s: exit status %d: %s", what, result.exit_status, last[:300])
