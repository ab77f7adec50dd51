"""Scheduled tasks, run only on demand (Coolify's ScheduledTaskJob)."""

from __future__ import annotations

from ..clock import Clock
from ..hosts.base import Host
from ..store import details, servers, services
from ..store.database import Database, Row
from . import scripts


class TaskRunner:
    def __init__(self, db: Database, host: Host, clock: Clock) -> None:
        self._db, self._host, self._clock = db, host, clock

    async def execute(self, service_id: int, task: Row) -> None:
        """One execution row, whatever happens."""
        started = self._clock.now()
        execution = details.add_execution(self._db, task["id"], started)
        status, message, error = await self._attempt(service_id, task)
        finished = self._clock.now()
        self._db.update(
            "executions",
            execution,
            {
                "status": status,
                "message": message,
                "error_details": error,
                "duration": f"{finished - started:.2f}",
                "finished_at": finished,
                "updated_at": finished,
            },
        )

    async def _attempt(self, service_id: int, task: Row) -> tuple[str, str, str | None]:
        service = services.by_id(self._db, service_id)
        rows = [r for r in services.subs(self._db, service_id) if "running" in r["status"]]
        if not rows:
            return _failed("No containers running.")
        chosen = [r for r in rows if r["name"] == task["container"]] or rows[: len(rows) == 1]
        if not chosen:
            return _failed("More than one container exists but no container name was provided.")
        server = servers.by_id(self._db, service["server_id"])
        container = f"{chosen[0]['name']}-{service['uuid']}"
        script = scripts.run_task(container, task["command"])
        result = await self._host.run(server, script, timeout_s=float(task["timeout"]))
        if result.ok:
            return "success", result.stdout.strip(), None
        return _failed(result.stderr.strip() or f"exit status {result.exit_status}")


def _failed(why: str) -> tuple[str, str, str]:
    message = f"Job permanently failed after 1 attempts: ScheduledTaskJob failed: {why}"
    return "failed", message, why
