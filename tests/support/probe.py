"""Clients that write and read all the time and count what an application would notice.

Runs on a server of the cluster, with Salt's Python (it has psycopg); this file is its whole
program: JSON with the settings comes on the first line of standard input, any second line (or the
end of the input) stops it, and the report is one line of JSON on standard output.

Each client inserts rows with numbers of its own and reads one back now and then. A row counts as
acknowledged when PostgreSQL has said so. ``unknown`` are rows whose INSERT ended with an error, so
that the client cannot know; they may be there or not. An error is what an application would get.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any

import psycopg

TABLE = "probe_writes"


class Client:
    """One connection; a new one after each error, as an application's pool would open it."""

    def __init__(self, number: int, settings: dict[str, Any], stop: asyncio.Event) -> None:
        self.number = number
        self.settings = settings
        self.stop = stop
        self.acknowledged = 0
        self.unknown = 0
        self.reads = 0
        self.attempted = 0
        self.errors: list[str] = []
        self.slowest = 0.0
        self.connection: psycopg.AsyncConnection[Any] | None = None

    async def run(self, acknowledged_at: list[float]) -> None:
        while not self.stop.is_set():
            started = time.monotonic()
            try:
                await self.once()
            except (psycopg.Error, OSError, asyncio.TimeoutError) as err:
                self.note(err)
                await self.drop()
            else:
                acknowledged_at.append(time.monotonic())
            self.slowest = max(self.slowest, time.monotonic() - started)
            await asyncio.sleep(self.settings["pause_s"])
        await self.drop()

    async def once(self) -> None:
        if self.connection is None:
            self.connection = await psycopg.AsyncConnection.connect(
                self.settings["conninfo"],
                password=self.settings["password"],
                autocommit=True,
                prepare_threshold=None,
            )
        row = self.attempted
        self.attempted += 1
        try:
            await self.connection.execute(
                f"INSERT INTO {TABLE} (run, client, row) VALUES (%s, %s, %s)",
                (self.settings["run"], self.number, row),
            )
        except BaseException:
            self.unknown += 1
            raise
        self.acknowledged += 1
        if row % 3 == 0:
            await self.connection.execute(
                f"SELECT count(*) FROM {TABLE} WHERE run = %s AND client = %s AND row = %s",
                (self.settings["run"], self.number, row),
            )
            self.reads += 1

    def note(self, err: Exception) -> None:
        text = " ".join(str(err).split()) or type(err).__name__
        if len(self.errors) < 1000:
            self.errors.append(text)

    async def drop(self) -> None:
        if self.connection is not None:
            with suppress(psycopg.Error, OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self.connection.close(), 1)
        self.connection = None


async def main() -> None:
    settings = json.loads(sys.stdin.readline())
    stop = asyncio.Event()
    clients = [Client(number, settings, stop) for number in range(settings["clients"])]
    times: list[float] = []
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.readline)
    tasks = [asyncio.create_task(client.run(times)) for client in clients]
    while sum(client.acknowledged > 0 for client in clients) < len(clients):
        await asyncio.sleep(0.05)
    print("writing", flush=True)
    await ended
    stop.set()
    await asyncio.wait(tasks, timeout=30)
    print(json.dumps(report(clients, times)), flush=True)


def report(clients: list[Client], times: list[float]) -> dict[str, Any]:
    """Counts over all clients; times in seconds. ``gaps`` are the five longest without any row."""
    times.sort()
    between = sorted((b - a for a, b in zip(times, times[1:])), reverse=True)  # noqa: B905, RUF007
    errors: dict[str, int] = {}
    for client in clients:
        for text in client.errors:
            errors[text] = errors.get(text, 0) + 1
    return {
        "acknowledged": sum(client.acknowledged for client in clients),
        "unknown": sum(client.unknown for client in clients),
        "reads": sum(client.reads for client in clients),
        "errors": sum(errors.values()),
        "kinds": dict(sorted(errors.items(), key=lambda kind: -kind[1])[:8]),
        "slowest": round(max(client.slowest for client in clients), 3),
        "gaps": [round(gap, 3) for gap in between[:12]],
        "seconds": round(times[-1] - times[0], 1) if times else 0,
    }


if __name__ == "__main__":
    asyncio.run(main())
