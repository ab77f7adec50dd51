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
WAIT = "postgres_monitoring.wait_ready"
SEEN = {
    "targets": {"app-server-1.lan": "up", "builder.lan": "connection refused"},
    "rules": 41,
    "alerts": [],
    "alertmanagers": 1,
}


def operation(test: bool = False, **replies: Any) -> tuple[Operation, FakeFleet]:
    fleet = FakeFleet(
        {APPLY: Applied(changes={"x": {"old": None, "new": 1}}), WAIT: SEEN, **replies}
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
    assert fleet.functions() == [APPLY, WAIT]


def test_a_plan_touches_and_waits_for_nothing() -> None:
    run, fleet = operation(test=True)

    assert run_monitoring(run).changes
    assert [(function, keywords["test"]) for _, function, keywords in fleet.asked] == [
        (APPLY, True)
    ]


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
