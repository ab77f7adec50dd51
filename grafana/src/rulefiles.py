"""The Prometheus rule files, read once for everything that is made from them or checks them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

GRAFANA = Path(__file__).resolve().parents[1]
REPOSITORY = GRAFANA.parent
ALERTS = GRAFANA / "alerts"


@dataclass(frozen=True)
class Rule:
    """One alert or recording rule.

    ``name`` is the alert's name or the recorded metric; ``hold`` is the rule's ``for``, a duration
    as Prometheus writes it, ``0s`` when there is none.
    """

    group: str
    name: str
    is_alert: bool
    expr: str
    hold: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def severity(self) -> str:
        return self.labels["severity"]


def files() -> list[Path]:
    """The rule files by name."""
    return sorted(ALERTS.glob("*.yml"))


def rules(path: Path) -> list[Rule]:
    """The rules of one file, in its order."""
    content = yaml.safe_load(path.read_text())
    return [_rule(group["name"], rule) for group in content["groups"] for rule in group["rules"]]


@cache
def all_rules() -> list[Rule]:
    """The rules of all files."""
    return [rule for path in files() for rule in rules(path)]


def alerts() -> list[Rule]:
    return [rule for rule in all_rules() if rule.is_alert]


def _rule(group: str, rule: dict[str, Any]) -> Rule:
    return Rule(
        group=group,
        name=rule.get("alert") or rule["record"],
        is_alert="alert" in rule,
        expr=rule["expr"].strip(),
        hold=rule.get("for", "0s"),
        labels=rule.get("labels", {}),
        annotations=rule.get("annotations", {}),
    )
