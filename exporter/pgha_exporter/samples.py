"""Samples of one collection, checked against the catalogue, as families of prometheus_client."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from prometheus_client import Metric as Family
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)

from pgha_exporter.names import Metric
from pgha_exporter.rendering import Rows

Number = float | int | bool
Buckets = Sequence[tuple[str, float]]


class Samples:
    """Collects samples by metric; ``scope`` is added to every one.

    A value of None means unknown: no sample. Raises ValueError for labels that the catalogue does
    not know, which is a mistake in this package and found by its tests.
    """

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._rows: dict[str, tuple[Metric, list[tuple[Any, ...]]]] = {}
        self._values: dict[tuple[str, ...], float] = {}

    def add(self, metric: Metric, value: Number | None, *labels: str) -> None:
        """One sample, its label values in the catalogue's order without ``scope``.

        No number, or one that no sample can hold, is unknown.
        """
        try:
            number = float("nan") if value is None else float(value)
        except OverflowError:
            return
        if math.isnan(number):
            return
        self._append(metric, labels, number)
        self._values[(metric.name, *labels)] = number

    def info(self, metric: Metric, *labels: str) -> None:
        """The one sample of an info metric."""
        self._append(metric, labels)

    def state(self, metric: Metric, present: str | None, *labels: str) -> None:
        """A state set: 1 for the present state, 0 for the others; nothing when it is unknown."""
        states = metric.values[metric.labels[-1]]
        if present not in states:
            return
        for name in states:
            self.add(metric, name == present, *labels, name)

    def histogram(self, metric: Metric, buckets: Buckets, total: float, *labels: str) -> None:
        """Cumulative buckets (upper bound as text, count) and the sum."""
        self._append(metric, labels, list(buckets), total)

    def value(self, metric: Metric, *labels: str) -> float | None:
        """What was added, for the page and for tests."""
        return self._values.get((metric.name, *labels))

    def rows(self) -> Iterator[Rows]:
        """Every metric that has a sample."""
        for name, (metric, rows) in self._rows.items():
            yield Rows(name, rows, partial(_family, metric, self._scope, rows))

    def families(self) -> Iterator[Family]:
        return (rows.family() for rows in self.rows())

    def _append(self, metric: Metric, labels: tuple[str, ...], *values: Any) -> None:
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.labels}, not {labels}")
        if metric.name not in self._rows:
            self._rows[metric.name] = (metric, [])
        self._rows[metric.name][1].append((labels, *values))


def _family(metric: Metric, scope: str, rows: Sequence[tuple[Any, ...]]) -> Family:
    family = _new_family(metric)
    for labels, *values in rows:
        texts = [scope, *map(_utf8, labels)]
        if isinstance(family, InfoMetricFamily):
            family.add_metric([], dict(zip(metric.all_labels, texts, strict=True)))
        else:
            family.add_metric(texts, *values)
    return family


def _utf8(text: str) -> str:
    """Half a surrogate pair, which JSON may hold, would cost all the other samples."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _new_family(
    metric: Metric,
) -> GaugeMetricFamily | CounterMetricFamily | InfoMetricFamily | HistogramMetricFamily:
    # prometheus_client adds the suffixes _total and _info itself.
    stem = metric.name.removesuffix("_total").removesuffix("_info")
    if metric.kind == "counter":
        return CounterMetricFamily(stem, metric.help, labels=metric.all_labels)
    if metric.kind == "info":
        return InfoMetricFamily(stem, metric.help, labels=[])
    if metric.kind == "histogram":
        return HistogramMetricFamily(metric.name, metric.help, labels=metric.all_labels)
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.all_labels)
