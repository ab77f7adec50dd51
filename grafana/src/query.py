"""Selectors of PromQL that cannot name a metric, a label or a value that the exporter has not.

The names come from the exporter's catalogue; a wrong one ends the generator, not a panel.
"""

from __future__ import annotations

import re

from pgha_exporter.names import Metric

TARGET_LABELS = ("instance", "job")
"""What Prometheus adds to every series that it scrapes."""


def series(metric: Metric, suffix: str = "", **labels: str) -> str:
    """A selector such as ``pgha_role{role="leader"}``.

    Args:
        suffix: of a histogram: ``_bucket``, ``_sum`` or ``_count``.
        labels: what each label must be; ``~`` before a value makes it a regular expression.

    Raises:
        ValueError: the metric has no such label, or the label never has such a value.
    """
    for label, value in labels.items():
        _check(metric, label, value)
    matchers = ",".join(_matcher(label, value) for label, value in labels.items())
    return f"{metric.name}{suffix}" + (f"{{{matchers}}}" if matchers else "")


def scoped(metric: Metric, suffix: str = "", **labels: str) -> str:
    """The same for the cluster that the dashboard shows."""
    return series(metric, suffix, scope="$scope", **labels)


def of_member(metric: Metric, suffix: str = "", **labels: str) -> str:
    """The same for the member that the dashboard shows."""
    return scoped(metric, suffix, member="$member", **labels)


def worst(metric: Metric, *by: str, **labels: str) -> str:
    """The largest of what the exporters of the cluster tell; the answer of one is enough."""
    return _aggregate("max", scoped(metric, **labels), by)


def least(metric: Metric, *by: str, **labels: str) -> str:
    """The smallest of what the exporters of the cluster tell."""
    return _aggregate("min", scoped(metric, **labels), by)


def _aggregate(operator: str, selector: str, by: tuple[str, ...]) -> str:
    return f"{operator} by ({', '.join(by)}) ({selector})" if by else f"{operator}({selector})"


def _check(metric: Metric, label: str, value: str) -> None:
    if label not in (*metric.all_labels, *TARGET_LABELS):
        raise ValueError(f"{metric.name} has no label {label}")
    for word in re.findall(r"\w+", value) if "$" not in value else ():
        if label in metric.values and word not in metric.values[label]:
            raise ValueError(f"{metric.name} never has {label}={word}")


def _matcher(label: str, value: str) -> str:
    if value.startswith("~"):
        return f'{label}=~"{value[1:]}"'
    return f'{label}="{value}"'
