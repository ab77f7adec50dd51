"""A real Prometheus with the rendered configuration: every panel shows a healthy cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitoring import dashboards, healthy, live

PANELS = dashboards.panel_queries()


@pytest.fixture(scope="module")
def prometheus(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Prometheus]:
    with live.watching(tools, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


def test_targets_carry_cluster_and_server(prometheus: live.Prometheus) -> None:
    found = {
        (series["metric"]["scope"], series["metric"]["instance"])
        for series in prometheus.query('up{job="pgha"} == 1')
    }

    assert found == {(healthy.SCOPE, node.host) for node in live.cluster().nodes}
    assert prometheus.query('{__name__=~"pgha.+",exported_scope!=""}') == []


def test_a_healthy_cluster_has_no_alert_pending(prometheus: live.Prometheus) -> None:
    live.eventually(lambda: prometheus.query("scope:pgha_writable:bool"), "rules are evaluated")

    # PghaNoExporters is pending from before the first scrape.
    live.eventually(lambda: not prometheus.alerts(), "no alert is pending", deadline_s=5)


@pytest.mark.parametrize("query", PANELS, ids=lambda query: query.id)
def test_a_panel_shows_data(query: dashboards.Query, prometheus: live.Prometheus) -> None:
    expr = dashboards.concrete(query.expr, healthy.SCOPE, "n1")
    if (query.board, query.title) in dashboards.EMPTY_WHEN_HEALTHY:
        prometheus.query(expr)  # valid, whatever it returns
        return

    live.eventually(lambda: prometheus.query(expr), f"data for {expr}", deadline_s=10)


def test_the_list_of_panels_that_may_be_empty_names_panels() -> None:
    assert set(dashboards.EMPTY_WHEN_HEALTHY) <= {(query.board, query.title) for query in PANELS}
