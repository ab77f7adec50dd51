"""What a Prometheus says about itself (https://prometheus.io/docs/prometheus/latest/querying/api/)."""

from __future__ import annotations

from typing import Any

import httpx

from pgha.errors import RefusedError, UnreachableError
from pgha.wait import Pending, poll

TIMEOUT_S = 5


def status(
    url: str, scope: str | None = None, client: httpx.Client | None = None
) -> dict[str, Any]:
    """Targets, rules, alerts and Alertmanagers of a Prometheus.

    Args:
        url: its address without a trailing slash.
        scope: the cluster that it should watch; only its targets count. None for all.
        client: for tests.

    Returns:
        ``targets`` (``{instance: "up" | "unknown" | why it is down}``), ``rules`` (how many are
        loaded), ``alerts`` (sorted names of those that fire), ``alertmanagers`` (how many it
        knows).

    Raises:
        UnreachableError: it does not answer, or is not ready yet.
        RefusedError: it answers with something else than its API, or watches another cluster.
    """
    with client or httpx.Client(timeout=TIMEOUT_S, trust_env=False) as session:
        targets = _data(session, f"{url}/api/v1/targets?state=active")["activeTargets"]
        groups = _data(session, f"{url}/api/v1/rules")["groups"]
        known = _data(session, f"{url}/api/v1/alertmanagers")["activeAlertmanagers"]
    own = [one for one in targets if scope in (None, one["labels"].get("scope"))]
    if targets and not own:
        raise RefusedError(
            f"the Prometheus at {url} does not watch {scope} but another cluster; one address "
            "serves one Prometheus, docs/monitoring.md says how one watches several"
        )
    rules = [rule for group in groups for rule in group["rules"]]
    return {
        "targets": {one["labels"]["instance"]: _health(one) for one in own},
        "rules": len(rules),
        "alerts": sorted(rule["name"] for rule in rules if rule.get("state") == "firing"),
        "alertmanagers": len(known),
    }


def wait_ready(url: str, scope: str, alertmanager: str, *, deadline_s: float) -> dict[str, Any]:
    """Wait until it has rules, an Alertmanager that is ready, and has tried every target of the
    cluster; returns its `status`.

    Args:
        url: its address without a trailing slash.
        scope: the cluster.
        alertmanager: the Alertmanager's address; Prometheus itself does not look whether it lives.

    Raises:
        TimedOutError: saying what was still missing.
    """

    def check() -> dict[str, Any] | Pending:
        found = status(url, scope)
        untried = [name for name, health in found["targets"].items() if health == "unknown"]
        if not (found["rules"] and found["alertmanagers"] and found["targets"]) or untried:
            return Pending(_so_far(found, untried))
        require_ready(alertmanager)
        return found

    return poll(check, deadline_s=deadline_s, interval_s=0.5, what=f"Prometheus at {url}")


def require_ready(url: str, client: httpx.Client | None = None) -> None:
    """Raises UnreachableError unless the Alertmanager at this address is ready."""
    try:
        with client or httpx.Client(timeout=TIMEOUT_S, trust_env=False) as session:
            session.get(f"{url}/-/ready").raise_for_status()
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"the Alertmanager at {url} is not ready ({error}); see its log on the controller "
            "(`docker ps -a` names the container)"
        ) from error


def _so_far(found: dict[str, Any], untried: list[str]) -> str:
    return (
        f"{found['rules']} rules, {found['alertmanagers']} Alertmanagers, "
        f"{len(found['targets'])} targets, {len(untried)} of them not tried yet"
    )


def _health(target: dict[str, Any]) -> str:
    return str(target["lastError"] if target["health"] == "down" else target["health"])


def _data(session: httpx.Client, url: str) -> dict[str, Any]:
    try:
        answer = session.get(url)
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"Prometheus does not answer {url}: {error}; see `docker ps -a` on the controller"
        ) from error
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise UnreachableError(f"Prometheus at {url} is starting")
    try:
        found: dict[str, Any] = answer.json()["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(
            f"{url} answers {answer.status_code} and not as Prometheus does; "
            "see what else listens on that port"
        ) from error
    return found
