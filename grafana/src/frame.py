"""What every dashboard has around its panels: data source, variables, links, annotations."""

from __future__ import annotations

import json
import zlib
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from grafana.src.looks import ORANGE, RED, YELLOW
from grafana.src.panels import DATA_SOURCE
from grafana.src.query import scoped, series
from pgha_exporter import names

SCHEMA_VERSION = 39
"""Of Grafana 10.4 and 11: the oldest that we support. Newer ones read it, older ones do not."""

TAGS = ["pgha", "ha"]

Annotation = dict[str, Any]


def dashboard(uid: str, title: str, description: str, *, range_: str = "now-1h") -> build.Dashboard:
    """A dashboard of all clusters, still without panels."""
    return (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(TAGS)
        .timezone("browser")
        .refresh("30s")
        .time(range_, "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(_data_source())
        .link(_links())
    )


def of_cluster(
    uid: str, title: str, description: str, *, range_: str = "now-1h"
) -> build.Dashboard:
    """A dashboard of one cluster, chosen by the variable ``scope``."""
    values = f"label_values({series(names.CLUSTER_MEMBERS)}, scope)"
    return dashboard(uid, title, description, range_=range_).with_variable(
        variable("scope", "Cluster", values)
    )


def variable(name: str, label: str, values: str) -> build.QueryVariable:
    """A choice whose values Prometheus knows; one at a time."""
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(DATA_SOURCE)
        .query(values)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(False)
        .include_all(False)
    )


def finished(
    builder: build.Dashboard, sections: dict[str, list[Any]], *, one_cluster: bool = True
) -> dict[str, Any]:
    """The dashboard as it is committed.

    ``sections`` are the panels below the title of their row; the first row has no title.
    Panels get an id made of their title, so that it stays when others come and go; links to a panel
    and Grafana's own state rest on it.
    """
    for title, panels in sections.items():
        builder = builder.with_row(build.Row(title)) if title else builder
        for panel in panels:
            builder = builder.with_panel(panel)
    content: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(builder.build()))
    content["id"] = None
    content["schemaVersion"] = SCHEMA_VERSION
    content["annotations"] = {"list": _annotations(one_cluster)}
    for panel in content["panels"]:
        panel["id"] = _panel_id(panel["type"] + panel["title"])
    for choice in content["templating"]["list"]:
        for default in ("auto", "auto_count", "auto_min"):
            choice.pop(default, None)
    return content


def text_of(content: dict[str, Any]) -> str:
    """Stable text: sorted keys, one item per line."""
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _data_source() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _links() -> build.DashboardLink:
    return (
        build.DashboardLink("PostgreSQL")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags(TAGS)
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )


def _annotations(one_cluster: bool) -> list[Annotation]:
    """What explains a kink in a curve: leader changes, pauses, critical alerts.

    The SDK has no fields for the title and for taking the value as the time; so plain JSON.
    """
    select = scoped if one_cluster else series
    changes = select(names.LAST_LEADER_CHANGE)
    paused = select(names.CLUSTER_PAUSED)
    matchers = 'alertstate="firing",severity="critical"'
    if one_cluster:
        matchers += ',scope="$scope"'
    return [
        _annotation(
            "Leader changes",
            f"max by (scope, cause) ({changes} > 0) * 1000",
            "{{scope}}: leader changed ({{cause}})",
            YELLOW,
            tagKeys="cause",
            useValueForTime=True,
        ),
        _annotation("Paused", f"max by (scope) ({paused}) == 1", "{{scope}}: paused", ORANGE),
        _annotation("Critical alerts", f"ALERTS{{{matchers}}}", "{{alertname}}", RED),
    ]


def _annotation(name: str, expr: str, title: str, color: str, **more: Any) -> Annotation:
    return {
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "enable": True,
        "expr": expr,
        "iconColor": color,
        "name": name,
        "titleFormat": title,
        **more,
    }


def _panel_id(title: str) -> int:
    return zlib.crc32(title.encode()) % 1_000_000 + 1
