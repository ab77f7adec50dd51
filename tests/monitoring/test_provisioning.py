"""What Grafana and the Alertmanager are given beside the dashboards."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.src import rulefiles
from grafana.src.rulefiles import GRAFANA
from tests.monitoring import cases

ALERTS = {rule.name: rule for rule in rulefiles.alerts()}
PROVISIONING = GRAFANA / "provisioning"
GROUPS = json.loads((PROVISIONING / "alerting" / "pgha.json").read_text())["groups"]
RULES: dict[str, dict[str, Any]] = {
    rule["uid"]: rule for group in GROUPS for rule in group["rules"]
}
DATA_SOURCE = yaml.safe_load((PROVISIONING / "datasources" / "pgha.yml").read_text())[
    "datasources"
][0]
ALERTMANAGER = GRAFANA / "alertmanager.yml"


def test_every_alert_is_also_a_rule_of_grafana_and_lag_comes_first() -> None:
    assert set(RULES) == set(ALERTS)
    assert sum(len(group["rules"]) for group in GROUPS) == len(RULES), "a uid is there twice"
    assert GROUPS[0]["rules"][0]["title"] == "PghaReplicationLagBytes"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_grafana_asks_what_prometheus_asks(name: str) -> None:
    rule, original = RULES[name], ALERTS[name]
    query, condition = rule["data"]

    assert query["model"]["expr"] == original.expr
    assert query["model"]["instant"]
    assert query["datasourceUid"] == DATA_SOURCE["uid"]
    assert rule["condition"] == condition["refId"] == "C"
    assert condition["model"]["expression"] == "is_number($A)"
    assert rule["for"] == original.hold
    assert rule["labels"] == original.labels
    assert rule["noDataState"] == "OK"
    assert rule["dashboardUid"] == original.annotations["dashboard_uid"]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_grafana_has_what_grafana_demands(name: str) -> None:
    rule = RULES[name]

    assert re.fullmatch(r"[\w-]{1,40}", rule["uid"])
    assert not any("$" in value for value in rule["labels"].values()), "Grafana would expand it"
    summary = rule["annotations"]["summary"]
    assert "$value" not in summary.replace("$values.A.Value", "")


def test_intervals_are_multiples_of_grafanas_ten_seconds() -> None:
    assert all(int(group["interval"].removesuffix("s")) % 10 == 0 for group in GROUPS)


def test_dashboards_are_provisioned_read_only() -> None:
    text = (PROVISIONING / "dashboards" / "pgha.yml").read_text()
    (provider,) = yaml.safe_load(text)["providers"]

    assert not provider["allowUiUpdates"]
    assert provider["folder"] == GROUPS[0]["folder"]


def test_the_alertmanager_accepts_the_example(tools: Path) -> None:
    done = subprocess.run(
        [tools / "amtool", "check-config", ALERTMANAGER],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_inhibitions_name_alerts_that_exist_and_labels_that_they_have() -> None:
    for rule in yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]:
        named = [
            name
            for matcher in rule["source_matchers"] + rule["target_matchers"]
            for name in re.findall(r"Pgha\w+", matcher)
        ]
        assert set(named) <= set(ALERTS)
        assert "scope" in rule["equal"], "one cluster must not silence another"
        for name in named:
            assert set(rule["equal"]) <= _labels_of_cases(name), name


def _labels_of_cases(name: str) -> set[str]:
    """The labels that the alert carried in the promtool cases."""
    fired = [check for check in cases.checks() if check["alertname"] == name]
    labels = [set(alert["exp_labels"]) for check in fired for alert in check["exp_alerts"]]
    return set.intersection(*labels)
