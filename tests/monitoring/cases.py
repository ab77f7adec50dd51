"""The promtool cases of tests/monitoring/rules, and what promtool needs besides.

promtool compares every label and annotation of an alert. The cases say what varies (labels of the
series, the summary with its numbers); what the rule file says as it stands is added here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from grafana.src.rulefiles import ALERTS, REPOSITORY, Rule, alerts

CASES = Path(__file__).parent / "rules"


def files() -> list[Path]:
    return sorted(CASES.glob("*.yml"))


@cache
def load(path: Path) -> dict[str, Any]:
    """The content of a file; not to be changed."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def checks() -> Iterator[dict[str, Any]]:
    """Every ``alert_rule_test`` of every case."""
    for path in files():
        for test in load(path)["tests"]:
            yield from test.get("alert_rule_test", [])


def series() -> Iterator[str]:
    """Every input series of every case, as it stands in the file."""
    for path in files():
        for test in load(path)["tests"]:
            yield from (entry["series"] for entry in test["input_series"])


def completed(path: Path) -> dict[str, Any]:
    """The content of a file that promtool reads as it is."""
    content = copy.deepcopy(load(path))
    content["rule_files"] = [str(REPOSITORY / name) for name in content["rule_files"]]
    assert content["rule_files"] == [str(ALERTS / path.name)]
    known = {rule.name: rule for rule in alerts()}
    for test in content["tests"]:
        for check in test.get("alert_rule_test", []):
            for expected in check["exp_alerts"]:
                _complete(expected, known[check["alertname"]])
    return content


def _complete(expected: dict[str, Any], rule: Rule) -> None:
    expected["exp_labels"] = {**rule.labels, **expected["exp_labels"]}
    expected["exp_annotations"] = {**rule.annotations, **expected["exp_annotations"]}
