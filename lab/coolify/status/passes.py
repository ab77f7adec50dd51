"""The status pass: one look at each server, results into the stored sub-resource rows (5.2)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ..clock import Clock
from ..hosts.base import Host
from ..lifecycle.scripts import list_containers
from ..store import servers
from ..store.database import Database, Row
from .aggregate import container_status, service_status


class StatusPasses:
    """Runs passes one at a time; foreign (simulated) services keep their status."""

    def __init__(self, db: Database, host: Host, clock: Clock) -> None:
        self._db, self._host, self._clock = db, host, clock
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        async with self._lock:
            await asyncio.gather(*(self._server(row) for row in servers.everything(self._db)))

    async def _server(self, server: Row) -> None:
        result = await self._host.run(server, list_containers(), timeout_s=30)
        servers.mark_seen(self._db, server, not result.unreachable, self._clock.now())
        if result.exit_status == 0:
            self._store(server, parse_containers(result.stdout))

    def _store(self, server: Row, seen: dict[str, str]) -> None:
        now = self._clock.now()
        for row in self._rows(server):
            status = seen.get(f"{row['name']}-{row['service_uuid']}", "exited")
            changes: dict[str, object] = {}
            if status != row["status"]:
                changes = {"status": status, "updated_at": now}
            if status.startswith("running"):
                changes["last_online_at"] = now
            self._db.update("sub_resources", row["id"], changes)

    def _rows(self, server: Row) -> list[Row]:
        return self._db.all(
            "SELECT r.*, s.uuid AS service_uuid FROM sub_resources r JOIN services s "
            "ON s.id = r.service_id WHERE s.server_id = ? AND s.simulated = 0 "
            "AND s.deleted_at IS NULL",
            server["id"],
        )


def parse_containers(output: str) -> dict[str, str]:
    """Status by container name from the lines of `list_containers`."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        name, _, state_json = line.partition("\t")
        try:
            state: Any = json.loads(state_json)
        except ValueError:
            continue
        health = (state.get("Health") or {}).get("Status")
        found[name.lstrip("/")] = container_status(str(state.get("Status")), health)
    return found


def stack_status(rows: list[Row], *, busy: bool) -> str:
    """Coolify's status of a service: `starting:unhealthy` while a start command runs."""
    if busy:
        return "starting:unhealthy"
    return service_status([(row["status"], bool(row["exclude_from_status"])) for row in rows])
