"""What prometheus_client tells of the exporter's own process."""

from __future__ import annotations

from prometheus_client import ProcessCollector

from pgha_exporter.rendering import Rows, rows_of
from pgha_exporter.source import FRESH_S


class Process:
    """Reads five files below /proc, so not at every scrape when these follow each other quickly."""

    def __init__(self) -> None:
        self._collector = ProcessCollector(registry=None)
        self._rows: list[Rows] = []
        self._at = float("-inf")

    def rows(self, now: float) -> list[Rows]:
        """At most `FRESH_S` old; ``now`` is monotonic."""
        if now - self._at >= FRESH_S:
            self._rows, self._at = rows_of(self._collector.collect()), now
        return self._rows
