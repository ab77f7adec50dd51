"""What a Grafana says about itself (https://grafana.com/docs/grafana/latest/developers/http_api/other/)."""

from __future__ import annotations

import httpx

from pgha.errors import UnreachableError
from pgha.wait import Pending, poll

TIMEOUT_S = 5


def wait_healthy(url: str, *, deadline_s: float) -> str:
    """Wait until its database answers; returns its version.

    Args:
        url: its address without a trailing slash.

    Raises:
        TimedOutError: saying what it said last.
    """
    return poll(
        lambda: _version(url), deadline_s=deadline_s, interval_s=0.5, what=f"Grafana at {url}"
    )


def _version(url: str) -> str | Pending:
    try:
        answer = httpx.get(f"{url}/api/health", timeout=TIMEOUT_S, trust_env=False)
        health = answer.json()
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"Grafana at {url} does not answer ({type(error).__name__})"
        ) from error
    except ValueError:
        return Pending(f"HTTP {answer.status_code} without its health")
    if not isinstance(health, dict) or health.get("database") != "ok":
        return Pending(f"HTTP {answer.status_code}, its database is not ok")
    return str(health.get("version", "unknown"))
