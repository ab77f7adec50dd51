"""Status words (contract 5.1)."""

from __future__ import annotations

import pytest

from lab.coolify.status.aggregate import container_status, service_status
from lab.coolify.status.passes import parse_containers


@pytest.mark.parametrize(
    ("state", "health", "status"),
    [
        ("running", None, "running:unknown"),
        ("running", "starting", "running:healthy"),
        ("running", "unhealthy", "running:unhealthy"),
        ("created", None, "starting:unknown"),
        ("restarting", None, "restarting:unknown"),
        ("exited", "unhealthy", "exited"),
        ("dead", None, "degraded:unhealthy"),
    ],
)
def test_container(state: str, health: str | None, status: str) -> None:
    assert container_status(state, health) == status


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        (["running:healthy", "running:healthy"], "running:healthy"),
        (["running:healthy", "running:unknown"], "running:unknown"),
        (["running:unknown", "running:unhealthy"], "running:unhealthy"),
        (["running:healthy", "exited"], "degraded:unhealthy"),
        (["running:healthy", "starting:unknown"], "starting:unknown"),
        (["restarting:unknown"], "degraded:unhealthy"),
        (["exited", "exited"], "exited"),
    ],
)
def test_stack(rows: list[str], status: str) -> None:
    assert service_status([(row, False) for row in rows]) == status


def test_excluded_rows_do_not_count() -> None:
    assert service_status([("running:healthy", False), ("exited", True)]) == "running:healthy"
    assert service_status([("running:healthy", True)]) == "running:healthy:excluded"
    assert service_status([("exited", True)]) == "exited"
    assert service_status([]) == "unknown:unknown:excluded"


def test_lines_of_docker_inspect() -> None:
    lines = '/a-u\t{"Status":"running","Health":{"Status":"healthy"}}\n/b-u\t{"Status":"exited"}\nx'
    assert parse_containers(lines) == {"a-u": "running:healthy", "b-u": "exited"}
