"""The pieces of a running stand-in, put together."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging

from .clock import Clock, SystemClock
from .faults import Faults
from .hosts.base import Host
from .http.ratelimit import RateLimiter
from .lifecycle.actions import Actions
from .lifecycle.jobs import Jobs
from .lifecycle.tasks import TaskRunner
from .settings import Seed, Settings
from .status.passes import StatusPasses
from .store import servers, services, tokens
from .store.database import Database, Row

log = logging.getLogger("lab.coolify")


class Standin:
    """Everything a request handler needs. `host` runs scripts on the servers."""

    def __init__(
        self, settings: Settings, seed: Seed, host: Host, clock: Clock | None = None
    ) -> None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = settings
        self.clock = clock or SystemClock()
        self.db = Database(settings.data_dir / "coolify.sqlite")
        self.host = host
        self.jobs = Jobs()
        self.actions = Actions(self.db, host, self.clock, self.jobs, settings)
        self.tasks = TaskRunner(self.db, host, self.clock)
        self.passes = StatusPasses(self.db, host, self.clock)
        self.limiter = RateLimiter(self.clock)
        self.faults = Faults()
        self._seed(seed)

    def _seed(self, seed: Seed) -> None:
        with self.db.transaction():
            for server in seed.servers:
                servers.seed(self.db, server, self.clock.now())
            for token in seed.tokens:
                tokens.save(self.db, token)

    def queue_start(self, service: Row, *, latest: bool = False) -> None:
        work = self._delayed_start(service["id"], latest)
        self.jobs.queue(f"start of {service['uuid']}", work)

    async def _delayed_start(self, service_id: int, latest: bool) -> None:
        await self.queue_delay()
        await self.actions.start(service_id, pull=latest)

    async def queue_delay(self) -> None:
        """The time a job waits for a worker (about a second in the recorded timelines)."""
        await asyncio.sleep(self.settings.queue_delay_s)

    def queue_deletion(self, service: Row, flags: dict[str, bool]) -> None:
        """The wish is stored first, so that a restart of the stand-in does not lose it."""
        self.db.update("services", service["id"], {"deleting": json.dumps(flags)})
        self.jobs.queue(f"deletion of {service['uuid']}", self._delayed_delete(service["id"]))

    async def _delayed_delete(self, service_id: int) -> None:
        await self.queue_delay()
        if services.exists(self.db, service_id):
            await self.actions.delete(service_id)

    def resume(self) -> None:
        """Take up deletions that a restart interrupted; validate servers that never were."""
        for service in services.pending_deletions(self.db):
            self.jobs.queue("interrupted deletion", self._delayed_delete(service["id"]))
        for server in servers.everything(self.db):
            if server["docker_version"] is None:
                self.jobs.queue("first validation", self.actions.validate(server["id"]))

    async def run_passes(self) -> None:
        """Status passes for ever; a failing one is logged, not fatal."""
        while True:
            try:
                await self.passes.run()
            except Exception as error:
                log.error("status pass failed: %s", type(error).__name__)
            await asyncio.sleep(self.settings.status_interval_s)

    async def close(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self.jobs.cancel()
        self.db.close()
