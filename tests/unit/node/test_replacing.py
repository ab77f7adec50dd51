"""New containers are told from old ones, and old configuration from new."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pgha.errors import NotFoundError, TimedOutError
from pgha.node import facts, replacing
from pgha.node.docker import Docker
from pgha.render.compose import stack_name
from tests.support.clusters import topology

CLUSTER = topology()
NODE = CLUSTER.nodes[0]
STARTED = "2026-11-24T06:04:14.75Z"
STARTED_S = 1795500254.75


def container(component: str, service: str, ident: str, state: str = "running") -> dict[str, str]:
    stack = facts.slug(stack_name(CLUSTER, NODE, component))
    return {
        "Names": f"{service}-x", "ID": ident, "State": state, "Status": "", "Image": "i",
        "Labels": f"coolify.resourceName={stack},com.docker.compose.service={service}",
    }  # fmt: skip


class Engine(Docker):
    """A Docker with these containers; ``restarted`` are those that were."""

    def __init__(self, *containers: dict[str, str]) -> None:
        self.restarted: list[str] = []

        def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            if "restart" in command:
                self.restarted.append(command[-1])
            out = STARTED if "inspect" in command else "\n".join(map(json.dumps, containers))
            return subprocess.CompletedProcess(command, 0, out, "")

        super().__init__(run=run)


def wait(engine: Engine, *before: str) -> list[str]:
    return replacing.wait_recreated(CLUSTER, NODE, "router", before, 0, engine)


def test_new_running_containers_of_every_service_end_the_wait() -> None:
    engine = Engine(container("router", "haproxy", "c"), container("router", "pgbouncer", "d"))
    assert wait(engine, "a", "b") == ["c", "d"]


@pytest.mark.parametrize(
    ("second", "seen"),
    [
        (container("router", "pgbouncer", "b"), "pgbouncer is still the old container"),
        (container("router", "pgbouncer", "d", "exited"), "pgbouncer is exited"),
        (container("etcd", "pgbouncer", "d"), "pgbouncer is not there"),
    ],
)
def test_anything_else_is_waited_for_and_named(second: dict[str, str], seen: str) -> None:
    with pytest.raises(TimedOutError, match=seen):
        wait(Engine(container("router", "haproxy", "c"), second), "a", "b")


def test_running_containers_of_the_component_are_restarted() -> None:
    engine = Engine(container("etcd", "etcd", "a"), container("router", "haproxy", "b"))
    assert replacing.restart(CLUSTER, NODE, "etcd", engine) == ["etcd-x"]
    assert engine.restarted == ["etcd-x"]
    with pytest.raises(NotFoundError, match="no container of etcd runs here"):
        replacing.restart(CLUSTER, NODE, "etcd", Engine())


def test_start_time_is_read_with_any_number_of_digits() -> None:
    assert Engine().started_at("etcd-x") == STARTED_S


@pytest.mark.parametrize(("written", "stale"), [(-5, []), (5, ["etcd"])])
def test_configuration_written_after_the_start_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int, stale: list[str]
) -> None:
    path = tmp_path / "etcd.yml"
    path.touch()
    os.utime(path, (STARTED_S + written, STARTED_S + written))
    monkeypatch.setattr(facts, "config_directory", lambda *_: str(tmp_path))
    engine = Engine(container("etcd", "etcd", "a"))
    found = facts.stale_components(CLUSTER, NODE, engine, engine.containers())
    assert found == stale
    stopped = Engine(container("etcd", "etcd", "a", "exited"))
    assert facts.stale_components(CLUSTER, NODE, stopped, stopped.containers()) == []
