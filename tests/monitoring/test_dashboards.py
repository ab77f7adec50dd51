"""The dashboards are what the generator writes, ask for what exists, and load in any Grafana."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from grafana.src.__main__ import stale
from grafana.src.rulefiles import alerts
from tests.monitoring import dashboards, promql
from tests.monitoring.contract import labels, problems

QUERIES = [*dashboards.panel_queries(), *dashboards.other_queries()]
PANELS = [(uid, panel) for uid in dashboards.BOARDS for panel in dashboards.panels(uid)]
PANEL_IDS = [f"{uid}: {panel['title']}" for uid, panel in PANELS]
every_board = pytest.mark.parametrize("uid", dashboards.BOARDS)
every_panel = pytest.mark.parametrize(("uid", "panel"), PANELS, ids=PANEL_IDS)


def test_the_committed_files_are_what_the_generator_writes() -> None:
    assert stale() == [], "run `make dashboards` and commit"


def test_there_are_the_five_dashboards() -> None:
    expected = {"pgha-fleet", "pgha-cluster", "pgha-node", "pgha-etcd", "pgha-backup"}

    assert set(dashboards.BOARDS) == expected
    assert {board["uid"] for board in dashboards.BOARDS.values()} == expected


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)
def test_a_query_asks_only_for_what_the_exporter_publishes(query: dashboards.Query) -> None:
    assert problems(query.expr) == []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)
def test_a_legend_names_labels_that_the_query_keeps(query: dashboards.Query) -> None:
    expression = promql.read(query.expr)
    kept = expression.grouping or set().union(*(labels(name) for name in expression.metrics))
    if query.expr.startswith("topk"):
        kept = set().union(*(labels(name) for name in expression.metrics))

    assert set(re.findall(r"{{\s*(\w+)\s*}}", query.legend)) <= kept


@pytest.mark.parametrize(
    "panel",
    [panel for _uid, panel in PANELS if panel["type"] == "table"],
    ids=lambda panel: panel["title"],
)
def test_a_table_shows_labels_that_its_queries_keep(panel: dict[str, Any]) -> None:
    (organize,) = [step for step in panel["transformations"] if step["id"] == "organize"]
    shown = {name for name in organize["options"]["renameByName"] if not name.startswith("Value")}
    kept = [promql.read(target["expr"]).grouping for target in panel["targets"]]

    assert shown <= set().union(*kept)
    assert set().union(*kept) <= shown, "a label that is not named would be one more column"


@every_panel
def test_a_panel_explains_itself(uid: str, panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]

    assert panel["description"].endswith("."), "say what to do when it is red"
    assert defaults["noValue"]
    if panel["type"] not in ("table", "state-timeline"):
        assert defaults["unit"]


@every_panel
def test_a_panel_takes_the_data_source_that_the_viewer_chose(
    uid: str, panel: dict[str, Any]
) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}

    assert panel["datasource"] == chosen
    assert all(target["datasource"] == chosen for target in panel["targets"])


def test_runbooks_that_panels_name_exist() -> None:
    known = {rule.name for rule in alerts()}
    named = {
        name
        for _uid, panel in PANELS
        for name in re.findall(r"\bPgha[A-Z]\w+", panel["description"])
    }

    assert named <= known


def test_dashboards_of_alerts_exist() -> None:
    assert {rule.annotations["dashboard_uid"] for rule in alerts()} <= set(dashboards.BOARDS)


@every_board
def test_a_dashboard_loads_by_import_and_by_provisioning(uid: str) -> None:
    board = dashboards.BOARDS[uid]

    assert board["id"] is None
    assert board["schemaVersion"] == 39
    assert not {"__inputs", "__requires", "version"} & set(board)
    assert board["graphTooltip"] == 1
    assert board["refresh"] == "30s"
    assert board["tags"] == ["pgha", "ha"]
    first = board["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )


@every_board
def test_panels_have_ids_and_places_of_their_own(uid: str) -> None:
    panels = dashboards.BOARDS[uid]["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))

    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    assert all(place["gridPos"]["x"] + place["gridPos"]["w"] <= 24 for place in panels)


@every_board
def test_rows_are_filled_to_the_edge(uid: str) -> None:
    """A gap at the right means that a panel slipped into the next line."""
    lines: dict[int, int] = {}
    for panel in dashboards.panels(uid):
        place = panel["gridPos"]
        lines[place["y"]] = lines.get(place["y"], 0) + place["w"]

    assert set(lines.values()) == {24}


@every_board
def test_links_lead_to_dashboards_that_exist(uid: str) -> None:
    text = str(dashboards.BOARDS[uid])

    assert set(re.findall(r"/d/([\w-]+)", text)) <= set(dashboards.BOARDS)


@every_board
def test_changes_of_the_leader_are_annotated(uid: str) -> None:
    names = [entry["name"] for entry in dashboards.BOARDS[uid]["annotations"]["list"]]

    assert names == ["Leader changes", "Paused", "Critical alerts"]
