"""From container states to Coolify's status words (contract 5.1, ContainerStatusAggregator)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_DEAD = ("dead", "removing")


def container_status(state: str, health: str | None) -> str:
    """One container: Docker's `State.Status` and `State.Health.Status` (None without a check).

    `starting` health counts as healthy, as in Coolify.
    """
    if state == "running":
        words = {None: "unknown", "": "unknown", "none": "unknown", "starting": "healthy"}
        return f"running:{words.get(health, health)}"
    if state == "restarting":
        return "restarting:unknown"
    if state == "created":
        return "starting:unknown"
    if state == "paused":
        return "paused:unknown"
    return "degraded:unhealthy" if state in _DEAD else "exited"


def service_status(rows: Sequence[tuple[str, bool]]) -> str:
    """The stack's status from `(status, excluded)` of its sub-resources."""
    if not rows:
        return "unknown:unknown:excluded"
    counted = [status for status, excluded in rows if not excluded]
    if counted:
        return _aggregate(counted)
    overall = _aggregate([status for status, _ in rows])
    return overall if overall == "exited" else f"{overall}:excluded"


def _aggregate(statuses: Iterable[str]) -> str:
    parts = [status.split(":") for status in statuses]
    states = {part[0] for part in parts}
    health = {part[1] for part in parts if part[0] == "running" and len(part) > 1}
    if states & {"degraded", "restarting"} or {"running", "exited"} <= states:
        return "degraded:unhealthy"
    if "running" in states:
        return _running(states, health)
    for state in ("paused", "starting"):
        if state in states:
            return f"{state}:unknown"
    return "exited"


def _running(states: set[str], health: set[str]) -> str:
    if "starting" in states:
        return "starting:unknown"
    for word in ("unhealthy", "unknown"):
        if word in health:
            return f"running:{word}"
    return "running:healthy"
