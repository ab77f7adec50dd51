"""The controller's files: made, left alone, planned; the password is never shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from _states import postgres_monitoring_server as state
from pgha.node.docker import Docker
from pgha.render.entities import ManagedDirectory, ManagedFile
from tests.support.clusters import pillar

ME = (os.getuid(), os.getgid())


@pytest.fixture(autouse=True, params=[False, True], ids=["for real", "test=True"])
def testmode(request: pytest.FixtureRequest) -> bool:
    mode: bool = request.param
    return mode


@pytest.fixture
def configure_loader_modules(testmode: bool) -> dict[Any, Any]:
    return {state: {"__opts__": {"test": testmode}, "__pillar__": pillar()}}


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Any:
    engine = create_autospec(Docker, instance=True)
    engine.image_ids.side_effect = lambda references: dict.fromkeys(references, "sha256:1")
    monkeypatch.setattr(state, "Docker", lambda: engine)
    return engine


@pytest.fixture
def password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: Any) -> Path:
    """One declared directory with one declared secret file."""
    own = tmp_path / "monitoring"
    path = own / "password.txt"
    monkeypatch.setattr(
        state.monitoring, "directories", lambda *_, **__: [ManagedDirectory(str(own), 0o755, *ME)]
    )
    monkeypatch.setattr(
        state.monitoring,
        "files",
        lambda *_, **__: [ManagedFile(str(path), "s3cret", 0o400, *ME, True, "monitoring")],
    )
    return path


def test_what_is_missing_is_made_and_the_secret_is_not_shown(
    password: Path, testmode: bool
) -> None:
    ret = state.configured("x")

    assert ret["result"] is (None if testmode else True), ret
    assert str(password) in ret["changes"]
    assert "s3cret" not in str(ret)
    assert password.exists() is not testmode


def test_what_is_as_declared_is_left_alone(password: Path) -> None:
    password.parent.mkdir(mode=0o755)
    password.parent.chmod(0o755)
    password.write_text("s3cret")
    password.chmod(0o400)

    assert state.configured("x")["changes"] == {}


def test_a_missing_image_is_fetched(password: Path, docker: Any, testmode: bool) -> None:
    present: list[str] = []
    docker.image_ids.side_effect = lambda names: dict.fromkeys(names, present[0:1] or None)
    docker.pull.side_effect = lambda name, **_: present.append(name)

    ret = state.configured("x")

    assert "pgha/monitoring:2.53-2" in ret["changes"]
    assert docker.pull.called is not testmode


def test_a_controller_without_secrets_is_told_what_to_do(docker: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(state.files, "directory_changes", lambda *_: [])

    ret = state.configured("x")

    assert ret["result"] is False
    assert "postgres.deploy" in ret["comment"]
