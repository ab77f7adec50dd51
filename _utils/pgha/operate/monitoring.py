"""Put Prometheus, the Alertmanager and, where its image can be had, Grafana on the controller, and
see that they see the cluster.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from pgha.deploy.fleet import applied_changes
from pgha.errors import RefusedError
from pgha.operate.operation import Operation, Outcome
from pgha.render import grafana
from pgha.render.monitoring import ALERTMANAGER_PORT, LOOPBACK, pages_url

READY_DEADLINE_S = 90
"""Containers start in seconds; the first scrape comes within its interval of 15 s."""
OFFER_S = 330
"""Grafana's image may have to be pulled."""


def run_monitoring(operation: Operation, address: str = LOOPBACK) -> Outcome:
    """Converge the stack and wait until Prometheus has tried every node.

    Args:
        address: address of the controller for Prometheus' and Grafana's pages.

    Raises:
        RefusedError: ``address`` is no address.
        FailedError, UnreachableError, TimedOutError: with what did not become as declared.
    """
    _check_address(address)
    controller = operation.controller
    offer = _offer(operation)
    pillar = {
        "cluster": operation.topology.cluster,
        "address": address,
        "grafana": offer["available"],
    }
    with operation.step(f"Prometheus is as declared on {controller}"):
        results = operation.fleet.apply(
            [controller], "postgres.monitoring_server", test=operation.test, pillar=pillar
        )
        changes = applied_changes(results)
    if operation.test:
        return Outcome(changes, _without(operation, offer))
    with operation.step("Prometheus has asked every node"):
        found = operation.ask_one(
            controller,
            "postgres_monitoring.wait_ready",
            address=address,
            deadline=READY_DEADLINE_S,
            grafana=offer["available"],
            timeout_s=2 * READY_DEADLINE_S + 30,
        )
    shown = _pages(operation, address) if offer["available"] else _without(operation, offer)
    return Outcome(changes, [*_report(address, found), *shown])


def _offer(operation: Operation) -> dict[str, Any]:
    """Whether the controller has Grafana's image, or could get it."""
    with operation.step(f"Grafana's image is looked for on {operation.controller}"):
        offer: dict[str, Any] = operation.ask_one(
            operation.controller,
            "postgres_monitoring.offer_grafana",
            fetch=not operation.test,
            timeout_s=OFFER_S,
        )
    return offer


def _pages(operation: Operation, address: str) -> list[str]:
    url, cluster = pages_url(address, grafana.PORT), operation.topology.cluster
    return [
        f"Grafana is at {url} with the dashboards of {cluster}; user "
        "admin, its first password is in postgresql/grafana_password.txt of the state directory."
    ]


def _without(operation: Operation, offer: dict[str, Any]) -> list[str]:
    if offer["available"]:
        return []
    return [
        f"Grafana is left out: {operation.controller} has no image {offer['image']} "
        f"({offer['why'].rstrip('.')}); docs/monitoring.md says how it gets one, or your own "
        "Grafana the dashboards."
    ]


def _report(address: str, found: dict[str, Any]) -> list[str]:
    down = {name: why for name, why in found["targets"].items() if why != "up"}
    up = len(found["targets"]) - len(down)
    return [
        f"Prometheus is at {pages_url(address)}, the Alertmanager at "
        f"http://{LOOPBACK}:{ALERTMANAGER_PORT} on the controller.",
        f"{up} of {len(found['targets'])} exporters answer, {found['rules']} rules are evaluated.",
        *(f"No answer from the exporter of {name}: {why}." for name, why in sorted(down.items())),
    ]


def _check_address(address: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise RefusedError(
            f"'{address}' is no address to serve Prometheus' pages on; give one of the "
            "controller's, or leave it out for its loopback"
        ) from None
