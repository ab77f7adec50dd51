"""Rules, their cases and panels ask only for what the exporter publishes."""

from __future__ import annotations

import pytest

from grafana.src import rulefiles
from tests.monitoring import cases, promql
from tests.monitoring.contract import SERIES, TARGET_LABELS, labels, problems

RULES = rulefiles.all_rules()


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_a_rule_asks_only_for_what_the_exporter_publishes(rule: rulefiles.Rule) -> None:
    assert problems(rule.expr) == []


@pytest.mark.parametrize("series", sorted(set(cases.series())))
def test_a_case_feeds_series_as_the_exporter_publishes_them(series: str) -> None:
    """An invented series would keep a rule's test green after its metric is gone."""
    assert problems(series) == []
    (selector,) = promql.read(series).selectors
    given = {label for label, _sign, _value in selector.matchers}
    needed = set(SERIES[selector.metric].all_labels) if selector.metric in SERIES else {"job"}
    assert needed <= given <= labels(selector.metric) | TARGET_LABELS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pgha_replication_lag > 1", ["pgha_replication_lag is not in the exporter's catalogue"]),
        ('pgha_role{rolle="leader"}', ["pgha_role has no label rolle"]),
        ('pgha_role{role="master"}', ["pgha_role never has role=master"]),
        ('pgha_role{role=~"leader|master"}', ["pgha_role never has role=master"]),
        ("sum by (pid) (pgha_role)", ["no metric of it has the label pid"]),
        ("scope:unknown:sum", ["scope:unknown:sum is not in the exporter's catalogue"]),
        ('pgha_role{role="$role"}', []),
        ("sum by (le) (rate(pgha_etcd_request_duration_seconds_bucket[$__rate_interval]))", []),
        ("max by (member) (scope_member:pgha_member_lag_bytes:max)", []),
    ],
)
def test_the_contract_tells_what_is_wrong(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_an_expression_is_read_down_to_its_last_label() -> None:
    text = """sum by (scope) (a{x="1", y=~"b|c"} > bool 0) / on (scope) group_left (z)
      (rate(d[5m] offset 1h) or vector(0)) unless e @ end()"""

    found = promql.read(text)

    assert found.selectors == [
        promql.Selector("a", (("x", "=", "1"), ("y", "=~", "b|c"))),
        promql.Selector("d"),
        promql.Selector("e"),
    ]
    assert found.grouping == {"scope", "z"}
