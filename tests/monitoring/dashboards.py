"""The committed dashboards as tests read them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from grafana.src.rulefiles import GRAFANA

PATHS = sorted((GRAFANA / "dashboards").glob("*.json"))
BOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in PATHS}


@dataclass(frozen=True)
class Query:
    """One query of a panel, an annotation or a variable."""

    board: str
    title: str
    expr: str
    legend: str = ""

    @property
    def id(self) -> str:
        return f"{self.board}: {self.title}"


def panels(uid: str) -> list[dict[str, Any]]:
    """The panels of a dashboard, rows left out."""
    return [panel for panel in BOARDS[uid]["panels"] if panel["type"] != "row"]


def panel_queries() -> list[Query]:
    return [
        Query(uid, panel["title"], target["expr"], target.get("legendFormat", ""))
        for uid in BOARDS
        for panel in panels(uid)
        for target in panel["targets"]
    ]


def other_queries() -> list[Query]:
    """Of annotations, and what the variables ask for."""
    found = []
    for uid, board in BOARDS.items():
        for annotation in board["annotations"]["list"]:
            title = annotation["titleFormat"]
            found.append(Query(uid, annotation["name"], annotation["expr"], title))
        for variable in board["templating"]["list"]:
            if match := re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]):
                expr = f"group by ({match[2]}) ({match[1]})"
                found.append(Query(uid, variable["name"], expr, f"{{{{{match[2]}}}}}"))
    return found


EMPTY_WHEN_HEALTHY = {
    ("pgha-cluster", "Why a member cannot be promoted"): "nothing keeps any replica",
    ("pgha-cluster", "Scheduled switchover"): "none is scheduled",
    ("pgha-cluster", "Alerts that fire"): "none fires",
    ("pgha-fleet", "Clusters in one line each"): "no alert fires",
    ("pgha-node", "Failed questions per minute"): "every source answers",
    ("pgha-node", "Replication slots"): "PostgreSQL 17 and a slot limit fill some columns",
}
"""Panels with a query that returns nothing while all is well, and why."""


EMPTY_WITHOUT_ARCHIVING = {
    ("pgha-backup", "Archived up to"),
    ("pgha-backup", "Segments to be archived"),
    ("pgha-backup", "Failures of the archiver"),
    ("pgha-node", "Segments to be archived"),
}
"""Panels for a PostgreSQL with ``archive_mode``, which the deploy leaves off."""


def concrete(expr: str, scope: str, member: str) -> str:
    """The expression with what Grafana would put into it."""
    values = {"$__rate_interval": "1m", "$scope": scope, "$member": member}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr
