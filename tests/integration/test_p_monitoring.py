"""Prometheus on the controller watches a real cluster: what is asked for exists and is answered."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from grafana.src import rulefiles
from pgha_exporter.names import METRICS, series_names
from tests.integration.test_h_backup import orchestrate
from tests.integration.test_n_exporter import exposition
from tests.monitoring import contract, dashboards, promql
from tests.monitoring.live import Prometheus, eventually
from tests.support.lab import REPOSITORY, Lab

SCOPE = "coolify_postgres"
QUERIES = dashboards.panel_queries()
ASKED = [*QUERIES, *dashboards.other_queries()]
SEEN_S = 120
"""Prometheus scrapes and evaluates every 15 s; a rate needs two scrapes."""

SILENT_S = 300
"""PghaLeaderLeaseNearExpiry remembers one late renewal for two minutes."""

NEVER_CHANGED = {("pgha-cluster", "Leader for")}
"""Panels without data, which they say in words, while nobody has taken over the lead yet."""
MAY_BE_EMPTY = {
    *dashboards.EMPTY_WHEN_HEALTHY,
    *dashboards.EMPTY_WITHOUT_ARCHIVING,
    *NEVER_CHANGED,
}
ABSENT = {
    "pgha_archive_last_failure_timestamp_seconds": "nothing is archived",
    "pgha_archive_last_success_timestamp_seconds": "nothing is archived",
    "pgha_archive_ready_segments": "nothing is archived",
    "pgha_slot_inactive_since_timestamp_seconds": "PostgreSQL 17",
}
"""Metrics with no sample in a healthy cluster of the default version, and why."""
TOLD_FOR_A_WHILE = {"PghaLeaderChanged"}
"""Earlier tests moved the lead; that is told for ten minutes."""


@pytest.fixture(scope="module")
def prometheus(lab: Lab, first_deploy: Any) -> Prometheus:
    """The monitoring stack, in a cluster that has a verified backup."""
    assert first_deploy.code == 0, first_deploy.stdout
    for script in (("build.sh", "monitoring"), ("save.sh", ".cache/images", "monitoring")):
        subprocess.run([REPOSITORY / "images" / script[0], *script[1:]], check=True, cwd=REPOSITORY)
    for name in ("backup", "backup_verify"):
        assert orchestrate(lab, name).code == 0
    address = lab.address(lab.controller)
    done = orchestrate(lab, "monitoring", address=address)
    assert done.code == 0, done.stdout + done.stderr
    return Prometheus(f"http://{address}:9090")


@pytest.fixture(scope="module")
def replica(prometheus: Prometheus) -> str:
    """Some panels of a node show what only a replica has; earlier tests moved the lead."""
    found: list[dict[str, Any]] = eventually(
        lambda: prometheus.query('pgha_role{role="replica"} == 1'),
        deadline_s=SEEN_S, what="a replica",
    )  # fmt: skip
    return str(found[0]["metric"]["member"])


@pytest.fixture(scope="module")
def scraped(lab: Lab, prometheus: Prometheus) -> dict[str, set[str]]:
    """Label names by name of a series, of all exporters together, once all that is declared is
    there (a source that does not answer in time leaves out what it knows) or time is over."""
    found: dict[str, set[str]] = {}
    declared = {name for metric in METRICS.values() for name in series_names(metric)}
    ends = time.monotonic() + SEEN_S
    while True:
        for server in lab.servers:
            for family in exposition(lab, server):
                for sample in family.samples:
                    found.setdefault(sample.name, set()).update(sample.labels)
        if declared <= {*found, *ABSENT} or time.monotonic() > ends:
            return found
        time.sleep(1)


def test_a_second_run_changes_nothing(lab: Lab, prometheus: Prometheus) -> None:
    again = orchestrate(lab, "monitoring", address=lab.address(lab.controller))
    assert again.code == 0
    assert again.changes == {}


def test_every_exporter_is_scraped_and_no_alert_is_pending(
    lab: Lab, prometheus: Prometheus
) -> None:
    eventually(
        lambda: len(prometheus.query('up{job="pgha"} == 1')) == len(lab.servers),
        deadline_s=SEEN_S, what="every exporter to be scraped",
    )  # fmt: skip
    eventually(
        lambda: prometheus.alerts() <= TOLD_FOR_A_WHILE,
        deadline_s=SILENT_S, what="all alerts to be silent",
    )  # fmt: skip
    eventually(
        lambda: {rule.name for rule in rulefiles.alerts()} <= rules_of(prometheus),
        deadline_s=SEEN_S, what="all rules to be loaded",
    )  # fmt: skip


def rules_of(prometheus: Prometheus) -> set[str]:
    return {rule["name"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)
def test_a_panel_shows_data(query: dashboards.Query, prometheus: Prometheus, replica: str) -> None:
    expr = dashboards.concrete(query.expr, SCOPE, replica)
    if (query.board, query.title) in MAY_BE_EMPTY:
        # Valid, whatever it returns.
        eventually(lambda: [prometheus.query(expr)], deadline_s=SEEN_S, what=f"an answer to {expr}")
        return
    eventually(lambda: prometheus.query(expr), deadline_s=SEEN_S, what=f"data for {expr}")


def test_what_panels_and_rules_ask_for_is_scraped(scraped: dict[str, set[str]]) -> None:
    expressions = [query.expr for query in ASKED] + [rule.expr for rule in rulefiles.all_rules()]
    missing = set()
    for expression in map(promql.read, expressions):
        for selector in expression.selectors:
            missing |= set(problems(selector, scraped))
    assert missing == set()


def problems(selector: promql.Selector, scraped: dict[str, set[str]]) -> Iterator[str]:
    name = selector.metric
    if name in contract.PROMETHEUS or ":" in name or name in ABSENT:
        return
    if name not in scraped:
        yield f"{name} is not scraped"
        return
    known = scraped[name] | contract.TARGET_LABELS
    yield from (f"{name} has no {label}" for label, _, _ in selector.matchers if label not in known)


def test_the_catalogue_is_what_is_scraped(scraped: dict[str, set[str]]) -> None:
    declared = {name: set(metric.all_labels) for metric in METRICS.values() for name in
                series_names(metric)}  # fmt: skip
    ours = {name: labels - {"le"} for name, labels in scraped.items() if name.startswith("pgha_")}
    assert {name: labels for name, labels in ours.items() if declared.get(name) != labels} == {}
    assert set(declared) - set(ours) == set(ABSENT)
