"""Data directories, and stopping those who write to them."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from pgha.errors import FailedError, NotFoundError
from pgha.node.data import initialised, set_etcd_aside
from pgha.node.docker import Docker
from pgha.node.facts import slug
from pgha.node.stopping import stop_stack
from pgha.render.compose import stack_name
from tests.support.clusters import topology

CLUSTER = topology()
NODE = CLUSTER.nodes[0]


def test_empty_directories_hold_no_member(tmp_path: Path) -> None:
    (tmp_path / CLUSTER.cluster / "etcd" / "data" / "member" / "wal").mkdir(parents=True)
    assert initialised(CLUSTER, str(tmp_path)) == {"etcd": False, "postgresql": False}


def test_etcds_data_is_kept_under_its_time(tmp_path: Path) -> None:
    wal = tmp_path / CLUSTER.cluster / "etcd" / "data" / "member" / "wal"
    wal.mkdir(parents=True)
    (wal / "0000000000000000-0000000000000000.wal").touch()
    assert initialised(CLUSTER, str(tmp_path))["etcd"]
    now = datetime(2026, 11, 24, 6, 0, tzinfo=timezone.utc)
    kept = set_etcd_aside(CLUSTER, str(tmp_path), now)
    assert kept == str(tmp_path / CLUSTER.cluster / "etcd" / "data.20261124T060000Z")
    assert any(Path(kept).rglob("*.wal"))
    assert not initialised(CLUSTER, str(tmp_path))["etcd"]
    assert set_etcd_aside(CLUSTER, str(tmp_path), now) is None


class Engine:
    """A Docker whose containers stop, or refuse to."""

    def __init__(self, *, obedient: bool = True) -> None:
        self.states = {"patroni": "running", "restapi": "exited"}
        self.obedient = obedient

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if command[1] == "stop" and self.obedient:
            self.states[command[-1]] = "exited"
        lines = [self._line(name, state) for name, state in self.states.items()]
        return subprocess.CompletedProcess(command, 0, "\n".join(lines), "")

    def _line(self, name: str, state: str) -> str:
        stack = slug(stack_name(CLUSTER, NODE, "patroni"))
        labels = f"coolify.resourceName={stack},com.docker.compose.service={name}"
        return json.dumps(
            {"Names": name, "State": state, "Status": "", "Image": "", "Labels": labels}
        )


def test_what_runs_of_a_stack_is_stopped() -> None:
    docker = Docker(run=Engine())
    assert stop_stack(CLUSTER, NODE, "patroni", docker) == ["patroni"]
    assert stop_stack(CLUSTER, NODE, "patroni", docker) == []
    assert stop_stack(CLUSTER, NODE, "etcd", docker) == []


def test_a_container_that_goes_on_is_an_error() -> None:
    with pytest.raises(FailedError, match=r"patroni did not stop on app-server-1\.lan"):
        stop_stack(CLUSTER, NODE, "patroni", Docker(run=Engine(obedient=False)))


def test_an_unknown_stack_is_refused() -> None:
    with pytest.raises(NotFoundError, match="etcd, patroni, router"):
        stop_stack(CLUSTER, NODE, "postgres", Docker(run=Engine()))
