"""What this node's Patroni says: itself, the cluster, the dynamic configuration, the history.

``/cluster``, ``/config`` and ``/history`` come from Patroni's copy of etcd and answer while
PostgreSQL hangs, but not while etcd refuses; ``/patroni`` asks PostgreSQL and then hangs with it,
so it is a source of its own. Both back off: Patroni has five request threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pgha_exporter.errors import SourceError
from pgha_exporter.patroni.api import Api
from pgha_exporter.patroni.model import Cluster, Config, Own, PatroniFacts
from pgha_exporter.patroni.parse import parse_cluster, parse_config, parse_history, parse_own

HTTP_DEADLINE_S = 2.0
"""How long a source waits for one answer."""
LEFT_ALONE_S = (2.0, 4.0, 8.0, 15.0)
"""Pauses between questions for the cluster that are not answered; each holds one of Patroni's five
request threads for its retry_timeout."""
SLOW_S = 10.0
"""How long the configuration and the history are kept; both change once in a while."""


class ClusterCollector:
    """The source ``patroni``."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._slow_at = float("-inf")
        self._config: Config | None = None
        self._last_change = 0.0
        self._last: Cluster | None = None
        self._failures, self._failed_at = 0, 0.0

    def collect(self) -> PatroniFacts:
        """Raises SourceError when Patroni does not answer, or never said who is there."""
        if self._last and self._is_left_alone():
            self._api.check_alive()
            return self._as_last_known(self._last)
        try:
            cluster = self._cluster_now()
        except SourceError as err:
            # Refused and the like concern Patroni itself; no answer may be etcd's fault.
            if not self._last or err.reason not in ("timeout", "protocol"):
                raise
            self._failures += 1
            self._failed_at = self._clock()
            self._api.check_alive()
            return self._as_last_known(self._last)
        self._failures, self._last = 0, cluster
        return PatroniFacts(cluster, self._config, self._last_change)

    def _cluster_now(self) -> Cluster:
        cluster = parse_cluster(self._api.get("/cluster"))
        if self._clock() - self._slow_at > SLOW_S:
            self._config = self._config_now()
            self._last_change = parse_history(self._api.get("/history"))
            self._slow_at = self._clock()
        return cluster

    def _is_left_alone(self) -> bool:
        if not self._failures:
            return False
        pause = LEFT_ALONE_S[min(self._failures, len(LEFT_ALONE_S)) - 1]
        return self._clock() - self._failed_at < pause

    def _as_last_known(self, last: Cluster) -> PatroniFacts:
        return PatroniFacts(last, self._config, self._last_change, current=False)

    def abort(self) -> None:
        self._slow_at = float("-inf")

    def _config_now(self) -> Config | None:
        answer = self._api.get("/config")
        return parse_config(answer) if isinstance(answer, dict) and answer else None


class OwnCollector:
    """``/patroni`` of a member: this node's own, or a peer's."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def collect(self) -> Own:
        return parse_own(self._api.get("/patroni"))

    def abort(self) -> None:
        pass
