"""Clusters that are started while the tests of the one before run; two at a time, no more."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tests.compat.cluster import Cluster
from tests.compat.exporter import install
from tests.compat.versions import Versions


class Ahead:
    """Args: the combinations in the order in which they will be taken; the exporter's wheel."""

    def __init__(self, wanted: list[Versions], wheel: Path) -> None:
        self._wanted, self._wheel = wanted, wheel
        self._pool = ThreadPoolExecutor(1)
        self._under_way: dict[Versions, Future[Cluster]] = {}

    def take(self, versions: Versions) -> Cluster:
        """The cluster, with the exporter installed; the next one begins to start."""
        cluster = self._begun(versions).result()
        del self._under_way[versions]
        later = self._wanted[self._wanted.index(versions) + 1 :]
        if later:
            self._begun(later[0])
        return cluster

    def close(self) -> None:
        """Remove what nobody took."""
        for future in self._under_way.values():
            if not future.cancel():
                with suppress(Exception):
                    future.result().end()
        self._pool.shutdown()

    def _begun(self, versions: Versions) -> Future[Cluster]:
        if versions not in self._under_way:
            self._under_way[versions] = self._pool.submit(self._start, versions)
        return self._under_way[versions]

    def _start(self, versions: Versions) -> Cluster:
        cluster = Cluster.start(versions)
        try:
            install(cluster, self._wheel)
        except BaseException:
            cluster.end()
            raise
        return cluster
