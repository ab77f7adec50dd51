"""The rules are valid, each alert fires when it must and stays silent when it must not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from grafana.src import rulefiles
from tests.monitoring import cases
from tests.monitoring.conftest import Run

ALERTS = rulefiles.alerts()
NAMES = [rule.name for rule in ALERTS]


def test_promtool_accepts_the_rule_files(promtool: Run) -> None:
    done = promtool("check", "rules", *rulefiles.files())

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", cases.files(), ids=lambda path: path.stem)
def test_rules_do_what_the_cases_say(path: Path, promtool: Run, tmp_path: Path) -> None:
    complete = tmp_path / path.name
    complete.write_text(yaml.safe_dump(cases.completed(path)))

    done = promtool("test", "rules", complete)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_expectation_is_noticed(promtool: Run, tmp_path: Path) -> None:
    content = cases.completed(cases.CASES / "exporter.yml")
    content["tests"][1]["alert_rule_test"][0]["eval_time"] = "9m"
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(yaml.safe_dump(content))

    assert promtool("test", "rules", wrong).returncode != 0


def test_every_rule_file_has_cases() -> None:
    assert [path.name for path in cases.files()] == [path.name for path in rulefiles.files()]


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_case_that_fires_and_one_that_is_silent(name: str) -> None:
    expected = [bool(check["exp_alerts"]) for check in cases.checks() if check["alertname"] == name]

    assert set(expected) == {True, False}


def test_names_of_alerts_are_unique_and_carry_the_prefix() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert all(name.startswith("Pgha") for name in NAMES)


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_every_alert_says_how_bad_it_is_what_happened_and_where_to_read_on(
    rule: rulefiles.Rule,
) -> None:
    assert rule.severity in ("critical", "warning", "info")
    assert set(rule.annotations) == {"summary", "description", "runbook_url", "dashboard_uid"}
    assert "{{" not in rule.annotations["description"], "cases rely on a fixed description"
    assert "$labels.scope" in rule.annotations["summary"] or rule.group == "pgha-exporter"


def test_the_summary_names_only_labels_that_the_alert_has() -> None:
    """A label that the expression aggregated away would read as an empty word."""
    for check in cases.checks():
        for expected in check["exp_alerts"]:
            summary = expected["exp_annotations"]["summary"]
            assert "  " not in summary, summary
            assert not summary.startswith(":"), summary
