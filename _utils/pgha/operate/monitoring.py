"""Put Prometheus and the Alertmanager on the controller, and see that they see the cluster."""

from __future__ import annotations

import ipaddress
from typing import Any

from pgha.deploy.fleet import applied_changes
from pgha.errors import RefusedError
from pgha.operate.operation import Operation, Outcome
from pgha.render.monitoring import ALERTMANAGER_PORT, LOOPBACK, pages_url

READY_DEADLINE_S = 90
"""Containers start in seconds; the first scrape comes within its interval of 15 s."""


def run_monitoring(operation: Operation, address: str = LOOPBACK) -> Outcome:
    """Converge the stack and wait until Prometheus has tried every node.

    Args:
        address: address of the controller for Prometheus' pages.

    Raises:
        RefusedError: ``address`` is no address.
        FailedError, UnreachableError, TimedOutError: with what did not become as declared.
    """
    _check_address(address)
    controller = operation.controller
    pillar = {"cluster": operation.topology.cluster, "address": address}
    with operation.step(f"Prometheus is as declared on {controller}"):
        results = operation.fleet.apply(
            [controller], "postgres.monitoring_server", test=operation.test, pillar=pillar
        )
        changes = applied_changes(results)
    if operation.test:
        return Outcome(changes)
    with operation.step("Prometheus has asked every node"):
        found = operation.ask_one(
            controller,
            "postgres_monitoring.wait_ready",
            address=address,
            deadline=READY_DEADLINE_S,
            timeout_s=READY_DEADLINE_S + 30,
        )
    return Outcome(changes, _report(address, found))


def _report(address: str, found: dict[str, Any]) -> list[str]:
    down = {name: why for name, why in found["targets"].items() if why != "up"}
    up = len(found["targets"]) - len(down)
    return [
        f"Prometheus is at {pages_url(address)}, the Alertmanager at "
        f"http://{LOOPBACK}:{ALERTMANAGER_PORT} on the controller.",
        f"{up} of {len(found['targets'])} exporters answer, {found['rules']} rules are evaluated.",
        *(f"No answer from the exporter of {name}: {why}." for name, why in sorted(down.items())),
        "Grafana is not part of the stack; docs/monitoring.md says how yours gets the dashboards.",
    ]


def _check_address(address: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise RefusedError(
            f"'{address}' is no address to serve Prometheus' pages on; give one of the "
            "controller's, or leave it out for its loopback"
        ) from None
