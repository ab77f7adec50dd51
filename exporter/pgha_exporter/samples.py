"""Samples of one collection, checked against the catalogue, as families of prometheus_client."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from prometheus_client import Metric as Family
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)

from pgha_exporter.names import Metric

Number = float | int | bool
Buckets = Sequence[tuple[str, float]]


class Samples:
    """Collects samples by metric; ``scope`` is added to every one.

    A value of None means unknown: no sample. Raises ValueError for labels that the catalogue does
    not know, which is a mistake in this package and found by its tests.
    """

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._families: dict[str, Family] = {}
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
        family = self._family(metric, labels)
        assert isinstance(family, GaugeMetricFamily | CounterMetricFamily)
        family.add_metric([self._scope, *map(_utf8, labels)], number)
        self._values[(metric.name, *labels)] = number

    def info(self, metric: Metric, *labels: str) -> None:
        """The one sample of an info metric."""
        family = self._family(metric, labels)
        assert isinstance(family, InfoMetricFamily)
        names = metric.all_labels
        family.add_metric([], dict(zip(names, (self._scope, *map(_utf8, labels)), strict=True)))

    def state(self, metric: Metric, present: str | None, *labels: str) -> None:
        """A state set: 1 for the present state, 0 for the others; nothing when it is unknown."""
        states = metric.values[metric.labels[-1]]
        if present not in states:
            return
        for name in states:
            self.add(metric, name == present, *labels, name)

    def histogram(self, metric: Metric, buckets: Buckets, total: float, *labels: str) -> None:
        """Cumulative buckets (upper bound as text, count) and the sum."""
        family = self._family(metric, labels)
        assert isinstance(family, HistogramMetricFamily)
        family.add_metric([self._scope, *labels], list(buckets), total)

    def value(self, metric: Metric, *labels: str) -> float | None:
        """What was added, for the page and for tests."""
        return self._values.get((metric.name, *labels))

    def families(self) -> Iterator[Family]:
        return iter(self._families.values())

    def _family(self, metric: Metric, labels: tuple[str, ...]) -> Family:
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.labels}, not {labels}")
        if metric.name not in self._families:
            self._families[metric.name] = _new_family(metric)
        return self._families[metric.name]


def _utf8(text: str) -> str:
    """Half a surrogate pair, which JSON may hold, would cost all the other samples."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _new_family(metric: Metric) -> Family:
    # prometheus_client adds the suffixes _total and _info itself.
    stem = metric.name.removesuffix("_total").removesuffix("_info")
    if metric.kind == "counter":
        return CounterMetricFamily(stem, metric.help, labels=metric.all_labels)
    if metric.kind == "info":
        return InfoMetricFamily(stem, metric.help, labels=[])
    if metric.kind == "histogram":
        return HistogramMetricFamily(metric.name, metric.help, labels=metric.all_labels)
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.all_labels)
