"""Follows Patroni's keys in etcd for ever, through whichever member lets it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from pgha_exporter.changes import LeaderChanges
from pgha_exporter.errors import SourceError
from pgha_exporter.etcd.model import Client, Endpoint

PAUSE_S = 1.0
TIMEOUT_S = 2.0
log = logging.getLogger("pgha_exporter.watch")


class Watcher:
    """A thread that feeds `LeaderChanges`; errors lead to the next endpoint after a pause."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        new_client: Callable[[Endpoint], Client],
        prefix: str,
        changes: LeaderChanges,
    ) -> None:
        self._endpoints, self._new_client = tuple(endpoints), new_client
        self._prefix, self._changes = prefix, changes
        self._stopped = threading.Event()
        self._client: Client | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="etcd-watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._client:
            self._client.close()

    def _run(self) -> None:
        turn = 0
        while not self._stopped.is_set():
            endpoint = self._endpoints[turn % len(self._endpoints)]
            pause = PAUSE_S
            try:
                self._follow(endpoint)
            except SourceError as err:
                fields = {"url": endpoint.url, "reason": err.reason, "error": str(err)}
                log.debug("watch ended", extra={"fields": fields})
                # After mere silence there is no reason to look away.
                pause = 0.0 if err.reason == "timeout" else PAUSE_S
            except Exception as err:
                log.warning("watch ended", extra={"fields": {"error": type(err).__name__}})
            turn += 1
            self._stopped.wait(pause)

    def _follow(self, endpoint: Endpoint) -> None:
        client = self._client = self._new_client(endpoint)
        try:
            # A learner refuses the read, so the next endpoint gets its turn.
            values = client.prefix(self._prefix, TIMEOUT_S)
            self._changes.sync(values, time.monotonic(), time.time())
            for event in client.watch(self._prefix):
                self._changes.event(event, time.monotonic(), time.time())
        finally:
            client.close()
