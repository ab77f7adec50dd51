"""Each alert has its page, and the page says what the rule says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grafana.src import rulefiles
from pgha_exporter.exporter import TICK_S
from pgha_exporter.sources import ROUTE_AGAIN_S, ROUTE_INTERVAL_S

DOCS = rulefiles.REPOSITORY / "docs"
RUNBOOKS = DOCS / "runbooks"
ALERTS = rulefiles.alerts()
PAGES = sorted(RUNBOOKS.glob("*.md"))


@pytest.mark.parametrize("rule", ALERTS, ids=[rule.name for rule in ALERTS])
def test_an_alert_has_a_page_with_meaning_first_command_and_fix(rule: rulefiles.Rule) -> None:
    assert rule.annotations["runbook_url"] == f"docs/runbooks/{rule.name}.md"
    page = (RUNBOOKS / f"{rule.name}.md").read_text()

    assert re.findall(r"^#+ (.*)$", page, re.MULTILINE) == [
        rule.name,
        "Meaning",
        "First command",
        "Fix",
    ]
    command = page.split("## First command")[1].split("## Fix")[0]
    assert re.search(r"^ {4}\S", command, re.MULTILINE), "the command stands on its own line"


@pytest.mark.parametrize("rule", ALERTS, ids=[rule.name for rule in ALERTS])
def test_a_page_gives_the_severity_and_the_delay_of_the_rule(rule: rulefiles.Rule) -> None:
    hold = "at once" if rule.hold == "0s" else f"after {rule.hold}"
    page = (RUNBOOKS / f"{rule.name}.md").read_text()

    sentence = f"Severity {rule.severity}, {hold}. {rule.annotations['description']}"
    assert page.splitlines()[2] == sentence


def test_a_route_is_tried_as_often_as_the_pages_say_and_several_times_before_its_alert() -> None:
    rule = next(rule for rule in ALERTS if rule.name == "PghaRouteWrong")
    assert int(rule.hold.removesuffix("s")) > 3 * (ROUTE_AGAIN_S + TICK_S)

    often = f"every {ROUTE_INTERVAL_S:g} s, and every {ROUTE_AGAIN_S:g} s after a failure"
    for page in ("runbooks/PghaRouteWrong.md", "monitoring-exporter.md"):
        assert often in (DOCS / page).read_text(), page


def test_there_is_no_page_for_an_alert_that_does_not_exist() -> None:
    expected = {f"{rule.name}.md" for rule in ALERTS} | {"README.md"}

    assert {page.name for page in PAGES} == expected


def test_the_list_names_every_alert_with_its_severity() -> None:
    listed = re.findall(
        r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) \|", (RUNBOOKS / "README.md").read_text(), re.MULTILINE
    )

    assert sorted(listed) == sorted((rule.name, rule.severity) for rule in ALERTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+\.md)", page.read_text()):
        assert (RUNBOOKS / target).exists(), target
