"""One metric of the catalogue, and the constructors that the files of the catalogue use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["gauge", "counter", "info", "stateset", "histogram"]
View = Literal["own", "shared"]

Values = tuple[str, ...]

SCOPE = "scope"


@dataclass(frozen=True)
class Metric:
    """One metric of the catalogue.

    Attributes:
        name: as in a query, ``_total`` and ``_info`` included; a histogram's without ``_bucket``.
        kind: what it means; an info and a state set are gauges in the exposition.
        help: one line.
        labels: besides ``scope``.
        unit: ``seconds``, ``bytes`` or empty.
        view: ``own`` or ``shared``, as in the package's text.
        values: the values that a label can have, where they are known beforehand.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    view: View = "own"
    values: dict[str, Values] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        stem = self.name.removesuffix("_total")
        return next((unit for unit in ("seconds", "bytes") if stem.endswith(f"_{unit}")), "")

    @property
    def all_labels(self) -> tuple[str, ...]:
        """``scope`` and the others, in the order of the samples."""
        return (SCOPE, *self.labels)


def series_names(metric: Metric) -> tuple[str, ...]:
    """The names that a query can use: three for a histogram, one for all else."""
    if metric.kind == "histogram":
        return tuple(f"{metric.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))
    return (metric.name,)


def gauge(name: str, text: str, *labels: str, view: View = "own", **values: Values) -> Metric:
    return Metric(name, "gauge", text, labels, view, values)


def counter(name: str, text: str, *labels: str, view: View = "own", **values: Values) -> Metric:
    return Metric(name, "counter", text, labels, view, values)


def info(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, "info", text, labels)


def stateset(name: str, text: str, *labels: str, **values: Values) -> Metric:
    return Metric(name, "stateset", text, labels, values=values)


def histogram(name: str, text: str, *labels: str, **values: Values) -> Metric:
    return Metric(name, "histogram", text, labels, values=values)
