"""One member starts over: stopped, its data kept, announced, its file right for one start."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgha.etcd import own as module
from pgha.etcd.own import Own
from pgha.node.docker import Docker
from pgha.render import etcd
from tests.support.clusters import topology
from tests.unit.clients.etcd_gateway import Gateway, cluster_of, member, voters

T = topology()
VOTER = T.node(T.voters[0])


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's etcd.yml is, as declared."""
    monkeypatch.setattr(etcd, "config_directory", lambda *_: str(tmp_path))
    monkeypatch.setattr(etcd, "ROOT", os.getuid())
    monkeypatch.setattr(module, "set_etcd_aside", lambda _: "/kept")
    path = tmp_path / "etcd.yml"
    path.write_text(etcd.config_file(T, VOTER).content)
    return path


def own(client_for: Any) -> Own:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, "", "")

    return Own(T, VOTER, Docker(run=run), client_for)


def test_rejoining_writes_the_members_that_etcd_lists_and_joining_puts_the_file_back(
    file: Path,
) -> None:
    declared = file.read_text()
    gateway = Gateway([*voters(T), member(T, T.learners[0], 44, isLearner=True)])
    with cluster_of(gateway, T) as client_for:
        done = own(client_for).rejoin()
        config = yaml.safe_load(file.read_text())
        joined = own(client_for).joined(5)
    assert done == {"stopped": [], "set_aside": "/kept", "removed": "b", "learner": False}
    assert config["initial-cluster-state"] == "existing"
    assert len(config["initial-cluster"].split(",")) == 4
    assert joined == {"promoted": False, "restored": True}
    assert file.read_text() == declared


def test_a_founder_of_a_smaller_cluster_names_only_the_founders(file: Path) -> None:
    assert own(None).found([VOTER.name], "c-2")["set_aside"] == "/kept"
    config = yaml.safe_load(file.read_text())
    assert config["initial-cluster"] == f"{VOTER.name}=https://{VOTER.ip}:2380"
    assert own(None).restore()
    assert not own(None).restore()


def test_putting_the_file_back_does_not_make_it_newer_than_its_container(file: Path) -> None:
    own(None).found([VOTER.name], "c-2")
    os.utime(file, (1000, 1000))
    assert own(None).restore()
    assert file.stat().st_mtime == 1000
