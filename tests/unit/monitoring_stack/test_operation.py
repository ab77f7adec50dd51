"""The orchestration: apply on the controller, wait for what Prometheus says, report it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from pgha.deploy.fleet import Applied
from pgha.errors import FailedError, RefusedError
from pgha.operate.monitoring import run_monitoring
from pgha.operate.operation import Operation
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet

APPLY = "apply postgres.monitoring_server"
OFFER = "postgres_monitoring.offer_grafana"
WAIT = "postgres_monitoring.wait_ready"
IMAGE = {"image": "grafana/grafana:11.6.0", "available": True, "why": ""}
NO_IMAGE = {**IMAGE, "available": False, "why": "docker pull failed: no route to the registry"}
SEEN = {
    "targets": {"app-server-1.lan": "up", "builder.lan": "connection refused"},
    "rules": 41,
    "alerts": [],
    "alertmanagers": 1,
}


def operation(test: bool = False, **replies: Any) -> tuple[Operation, FakeFleet]:
    fleet = FakeFleet(
        {
            OFFER: NO_IMAGE,
            APPLY: Applied(changes={"x": {"old": None, "new": 1}}),
            WAIT: SEEN,
            **replies,
        }
    )
    return Operation(topology(), fleet, step=lambda what: nullcontext(), test=test), fleet


def test_the_report_names_the_address_and_the_exporters_that_do_not_answer() -> None:
    run, fleet = operation()

    outcome = run_monitoring(run, "172.28.0.10")

    report = " ".join(outcome.report)
    assert "http://172.28.0.10:9090" in report
    assert "1 of 2 exporters answer, 41 rules" in report
    assert "No answer from the exporter of builder.lan: connection refused." in outcome.report
    assert outcome.changes == {"controller.lan": {"x": {"old": None, "new": 1}}}
    assert fleet.functions() == [OFFER, APPLY, WAIT]


def test_a_plan_touches_and_waits_for_nothing() -> None:
    run, fleet = operation(test=True)

    outcome = run_monitoring(run)

    assert outcome.changes
    assert fleet.functions() == [OFFER, APPLY]
    assert fleet.asked[0][2]["fetch"] is False
    assert fleet.asked[1][2]["test"] is True
    assert "Grafana is left out" in " ".join(outcome.report)


@pytest.mark.parametrize(
    ("offer", "said"),
    [
        (IMAGE, "Grafana is at http://172.28.0.10:3000 with the dashboards of coolify_postgres"),
        (
            NO_IMAGE,
            "Grafana is left out: controller.lan has no image grafana/grafana:11.6.0 (docker pull "
            "failed: no route to the registry);",
        ),
    ],
)
def test_grafana_is_there_when_its_image_is_and_else_in_one_line_not(
    offer: dict[str, Any], said: str
) -> None:
    run, fleet = operation(**{OFFER: offer})

    outcome = run_monitoring(run, "172.28.0.10")

    assert [line for line in outcome.report if line.startswith(said)]
    _, _, applied = fleet.asked[1]
    assert applied["grafana"] is offer["available"]
    assert fleet.asked[2][2]["grafana"] is offer["available"]


def test_what_failed_on_the_controller_ends_the_run() -> None:
    run, _fleet = operation(**{APPLY: Applied(failed={"x": "there is no image"})})

    with pytest.raises(FailedError, match=r"controller\.lan: there is no image"):
        run_monitoring(run)


@pytest.mark.parametrize("address", ["", "controller", "172.28.0.10:9090", "0.0.0.0; rm"])
def test_a_wrong_address_is_refused_before_anything_is_asked(address: str) -> None:
    run, fleet = operation()

    with pytest.raises(RefusedError, match="no address"):
        run_monitoring(run, address)
    assert fleet.asked == []
