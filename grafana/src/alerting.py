"""Grafana-managed alert rules, made from the Prometheus rule files.

Prometheus says "a series in the result is an alert"; Grafana wants a condition. ``is_number`` of
the query is one for every series whatever its value, also for 0, and keeps the number for the
texts. An empty result is the good case, so no data is OK; a node that reports nothing is an alert
of its own (PghaExporterDown).

Format: https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/
"""

from __future__ import annotations

import itertools
from typing import Any

from grafana.src.rulefiles import Rule, alerts

DATA_SOURCE_UID = "pgha-prometheus"
"""As in provisioning/datasources; a rule cannot take a data source from a variable."""

FOLDER = "PostgreSQL HA"
INTERVAL = "20s"
"""A multiple of Grafana's ten seconds."""
LOOK_BACK_SECONDS = 600

FIRST = ("pgha-replication", "pgha-availability", "pgha-etcd", "pgha-operations", "pgha-exporter")
"""Groups in the order in which Grafana shows them: lag first."""


def provisioning() -> dict[str, Any]:
    """The content of provisioning/alerting/pgha.json."""
    by_group = itertools.groupby(alerts(), key=lambda rule: rule.group)
    groups = {name: list(rules) for name, rules in by_group}
    return {"apiVersion": 1, "groups": [_group(name, groups[name]) for name in FIRST]}


def _group(name: str, rules: list[Rule]) -> dict[str, Any]:
    return {
        "orgId": 1,
        "name": name,
        "folder": FOLDER,
        "interval": INTERVAL,
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    annotations = {key: _text(value) for key, value in rule.annotations.items()}
    return {
        "uid": rule.name,
        "title": rule.name,
        "condition": "C",
        "data": [_query(rule.expr), _condition()],
        "for": rule.hold,
        "noDataState": "OK",
        "execErrState": "Error",
        "dashboardUid": annotations.pop("dashboard_uid"),
        "annotations": annotations,
        "labels": rule.labels,
        "isPaused": False,
    }


def _query(expr: str) -> dict[str, Any]:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": LOOK_BACK_SECONDS, "to": 0},
        "datasourceUid": DATA_SOURCE_UID,
        "model": {"refId": "A", "expr": expr, "instant": True, "range": False},
    }


def _condition() -> dict[str, Any]:
    return {
        "refId": "C",
        "datasourceUid": "__expr__",
        "model": {"refId": "C", "type": "math", "expression": "is_number($A)"},
    }


def _text(template: str) -> str:
    """Prometheus' ``$value`` is the number; Grafana's is a description of all queries."""
    return template.replace("$value", "$values.A.Value")
