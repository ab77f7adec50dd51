"""What operators see of backups: the states' returns, the list, and the scheduled run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from salt.exceptions import SaltInvocationError

from _output import postgres_backups as table
from _runners import postgres as runner
from _states import postgres_backup as state
from pgha.backup.take import store_root, take_backup
from pgha.lock import RunLock
from pgha.operate.operation import Outcome
from tests.support.clusters import pillar, topology
from tests.unit.backup.samples import put_backup, put_gzip


@pytest.fixture
def opts(tmp_path: Path) -> dict[str, Any]:
    conf = str(tmp_path / "master")
    return {"pgha_state_dir": str(tmp_path), "test": False, "__role": "master", "conf_file": conf}


@pytest.fixture
def declared() -> dict[str, Any]:
    return pillar()


@pytest.fixture
def orchestrated() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def configure_loader_modules(
    opts: dict[str, Any],
    declared: dict[str, Any],
    orchestrated: list[tuple[str, dict[str, Any]]],
) -> dict[Any, Any]:
    def orchestrate(name: str, pillar: dict[str, Any]) -> dict[str, Any]:
        orchestrated.append((name, pillar))
        return {"retcode": 0}

    salt = {"pillar.show_pillar": lambda: declared, "state.orchestrate": orchestrate}
    return {
        state: {"__opts__": opts, "__pillar__": declared},
        runner: {"__opts__": opts, "__salt__": salt},
        table: {},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = store_root(tmp_path, topology())
    root.mkdir(parents=True)
    return root


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    mock = create_autospec(
        take_backup, return_value=Outcome({"b": {}}, ["Taken from builder.lan."])
    )
    monkeypatch.setattr(state, "take_backup", mock)
    return mock


def test_the_return_of_a_backup(take: Any) -> None:
    ret = state.taken("a backup", format="directory")
    assert ret["result"] is True
    assert ret["comment"] == "Changed. Taken from builder.lan."
    assert take.call_args.args[1] == "directory"


def test_a_deploy_does_not_wait_for_a_backup_and_a_second_backup_does_not_run(
    take: Any, tmp_path: Path
) -> None:
    with RunLock(tmp_path / ".coolify_postgres.lock", "deploy"):
        assert state.taken("a backup")["result"] is True
    with RunLock(tmp_path / ".coolify_postgres.backup.lock", "backup of coolify_postgres"):
        ret = state.taken("a backup")
    assert ret["result"] is False
    assert "Another run (backup of coolify_postgres" in ret["comment"]
    assert take.call_count == 1


def test_the_list(folder: Path) -> None:
    assert table.output(runner.backups()["data"]).startswith("coolify_postgres has no backups")
    put_backup(folder, "20261124T050000Z")
    put_gzip(folder / "postgres_backup_20240101.sql.gz", b"x")
    lines = table.output(runner.backups()["data"]).splitlines()
    assert lines[3].split()[0] == "postgres_backup_20261124T050000Z.sql.gz"
    assert lines[3].endswith("app-server-2.lan  10 s  not yet")
    assert lines[4].endswith("it has no manifest")


def test_a_scheduled_backup_runs_when_it_is_due(
    declared: dict[str, Any], orchestrated: list[Any], folder: Path
) -> None:
    assert runner.backup_if_due() == {}
    declared["postgresql_backup_schedule"] = "6h"
    assert runner.backup_if_due() == {"coolify_postgres": {"retcode": 0}}
    assert orchestrated == [("postgres.backup", {"cluster": "coolify_postgres"})]
    put_backup(folder, "20991124T050000Z", finished_at="2099-11-24T05:00:10+00:00")
    assert runner.backup_if_due() == {}


def test_a_wrong_pillar_is_a_sentence(declared: dict[str, Any]) -> None:
    declared["postgresql_backup_schedule"] = "sometimes"
    with pytest.raises(SaltInvocationError, match="postgresql_backup_schedule is 'sometimes'"):
        runner.backups()
