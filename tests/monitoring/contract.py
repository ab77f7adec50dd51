"""May an expression ask for this? Checked against the exporter's own catalogue of metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator

from grafana.src.rulefiles import all_rules
from pgha_exporter.names import METRICS, Metric, series_names
from tests.monitoring import promql

TARGET_LABELS = {"instance", "job"}
"""Prometheus adds them to everything that it scrapes."""
PROMETHEUS = {
    "up": {"scope", *TARGET_LABELS},
    "ALERTS": {"alertname", "alertstate", "severity", "scope", "member", *TARGET_LABELS},
}
"""Series of Prometheus itself; our scrape configuration gives every target its scope."""

SERIES: dict[str, Metric] = {
    name: metric for metric in METRICS.values() for name in series_names(metric)
}


def problems(text: str) -> list[str]:
    """Why the expression cannot return what it asks for; empty when it can."""
    expression = promql.read(text)
    found = [problem for selector in expression.selectors for problem in _selector(selector)]
    if found:
        return found
    known = set[str]().union(*(labels(metric) for metric in expression.metrics), TARGET_LABELS)
    return [f"no metric of it has the label {name}" for name in expression.grouping - known]


def labels(series: str) -> set[str]:
    """The labels that a series of this name can have; raises KeyError for an unknown one."""
    if series in PROMETHEUS:
        return PROMETHEUS[series]
    if ":" in series:
        return _recorded_labels(series)
    metric = SERIES[series]
    bucket = {"le"} if series.endswith("_bucket") else set()
    return {*metric.all_labels, *bucket, *TARGET_LABELS}


def _selector(selector: promql.Selector) -> Iterator[str]:
    try:
        known = labels(selector.metric)
    except KeyError:
        yield f"{selector.metric} is not in the exporter's catalogue"
        return
    for label, _sign, value in selector.matchers:
        if label not in known:
            yield f"{selector.metric} has no label {label}"
        elif selector.metric in SERIES:
            yield from _values(SERIES[selector.metric], label, value)


def _values(metric: Metric, label: str, value: str) -> Iterator[str]:
    if label not in metric.values or "$" in value:
        return
    for one in re.split(r"[|()]+", value):
        if one and one not in metric.values[label]:
            yield f"{metric.name} never has {label}={one}"


def _recorded_labels(series: str) -> set[str]:
    rule = next((rule for rule in all_rules() if rule.name == series), None)
    if rule is None:
        raise KeyError(series)
    return promql.read(rule.expr).grouping
