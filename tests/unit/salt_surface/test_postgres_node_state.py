"""The states of one server: create, no change, change, test mode; secrets stay out of changes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from _modules import postgres_node as module
from _states import postgres_node as state
from pgha.errors import NotFoundError
from pgha.render.entities import ManagedDirectory, ManagedFile
from tests.support.clusters import pillar

HOST = "app-server-2.lan"
ME = (os.getuid(), os.getgid())


@pytest.fixture(autouse=True, params=[False, True], ids=["for real", "test=True"])
def testmode(request: pytest.FixtureRequest) -> bool:
    mode: bool = request.param
    return mode


@pytest.fixture
def reload() -> Any:
    return create_autospec(module.reload, return_value=["haproxy-x"])


@pytest.fixture
def configure_loader_modules(testmode: bool, reload: Any) -> dict[Any, Any]:
    return {
        state: {
            "__opts__": {"test": testmode},
            "__salt__": {"postgres_node.facts": module.facts, "postgres_node.reload": reload},
            "__pillar__": pillar(pgha={"passwords": {"monitor": "s3cret"}}),
            "__grains__": {"id": HOST},
        }
    }


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One declared file, ``haproxy.cfg``, in a folder of the test."""
    path = tmp_path / "haproxy.cfg"

    def files_for(*_: Any) -> list[ManagedFile]:
        return [ManagedFile(str(path), "new text\n", 0o640, *ME, secret=False, component="router")]

    monkeypatch.setattr(state, "files_for", files_for)
    return path


def test_missing_file_is_created(config: Path, testmode: bool, reload: Any) -> None:
    ret = state.files_present("files")
    assert ret["result"] is (None if testmode else True)
    assert ret["changes"][str(config)]["old"] is None
    assert config.exists() is not testmode
    assert reload.called is not testmode


def test_current_file_is_left_alone(config: Path, reload: Any) -> None:
    config.write_text("new text\n")
    config.chmod(0o640)
    inode = config.stat().st_ino
    ret = state.files_present("files")
    assert (ret["result"], ret["changes"]) == (True, {})
    assert config.stat().st_ino == inode
    assert not reload.called


def test_changed_file_shows_its_difference_and_is_reloaded(
    config: Path, testmode: bool, reload: Any
) -> None:
    config.write_text("old text\n")
    config.chmod(0o640)
    ret = state.files_present("files")
    assert "-old text" in ret["changes"][str(config)]["new"]
    assert config.read_text() == ("old text\n" if testmode else "new text\n")
    assert [call.args[0] for call in reload.call_args_list] == ([] if testmode else ["haproxy"])


def test_wrong_mode_alone_is_a_change(config: Path, testmode: bool) -> None:
    config.write_text("new text\n")
    config.chmod(0o666)
    ret = state.files_present("files")
    assert "mode 0666" in ret["changes"][str(config)]["old"]
    assert (config.stat().st_mode & 0o777) == (0o666 if testmode else 0o640)


def test_secret_is_named_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "patroni.yml"
    path.write_text("password: 0ld\n")
    secret = ManagedFile(str(path), "password: s3cret\n", 0o600, *ME, True, "patroni")
    monkeypatch.setattr(state, "files_for", lambda *_: [secret])
    ret = state.files_present("files")
    assert str(path) in ret["changes"]
    assert "s3cret" not in str(ret)
    assert "0ld" not in str(ret)


def test_half_written_file_never_appears(
    config: Path, testmode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("old text\n")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    ret = state.files_present("files")
    assert config.read_text() == "old text\n"
    assert list(config.parent.iterdir()) == [config]
    if not testmode:
        assert ret["result"] is False
        assert "No space left" in ret["comment"]


def test_missing_directory_is_created_with_its_mode(
    tmp_path: Path, testmode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    wanted = [ManagedDirectory(str(path), 0o700, *ME)]
    monkeypatch.setattr(state, "directories_for", lambda *_: wanted)
    ret = state.directories_present("directories")
    assert str(path) in ret["changes"]
    assert path.exists() is not testmode
    if not testmode:
        assert path.stat().st_mode & 0o777 == 0o700
        assert state.directories_present("directories")["changes"] == {}


def test_hosts_line_is_written_in_place(
    tmp_path: Path, testmode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    inode = hosts.stat().st_ino
    monkeypatch.setattr(state, "HOSTS_FILE", hosts)
    ret = state.hostname_present("hostname")
    assert ret["changes"][str(hosts)]["new"] == "172.28.0.21 db.postgres.host.uk.com"
    assert ("db.postgres" in hosts.read_text()) is not testmode
    assert hosts.stat().st_ino == inode


def test_node_without_secrets_says_what_to_do(testmode: bool) -> None:
    state.__pillar__.pop("pgha")
    ret = state.files_present("files")
    if testmode:
        assert ret["changes"]
    else:
        assert ret["result"] is False
        assert "run the deploy on the Salt master" in ret["comment"]


def test_wrong_pillar_is_a_sentence(testmode: bool) -> None:
    state.__pillar__["patroni_ttl"] = 10
    ret = state.directories_present("directories")
    assert ret["result"] is False
    assert "patroni_ttl" in ret["comment"]


def test_a_plan_goes_on_where_secrets_are_made_first(
    monkeypatch: pytest.MonkeyPatch, testmode: bool
) -> None:
    """A cluster that is older than the exporter has no password for it yet."""

    def files_for(*_: Any) -> list[ManagedFile]:
        raise NotFoundError("the pillar has no web_hashes")

    monkeypatch.setattr(state, "files_for", files_for)
    ret = state.files_present("files")
    assert ret["result"] is (None if testmode else False)
    assert bool(ret["changes"]) is testmode


def test_the_times_of_backups_are_written_for_the_exporter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, testmode: bool
) -> None:
    path = tmp_path / "backup.json"
    monkeypatch.setattr(state.exporter, "backup_status_path", lambda _: str(path))
    monkeypatch.setattr(state.exporter, "ROOT", os.getuid())
    ret = state.backups_told("told", {"full": {"last_success": 1790000000.0}})
    assert ret["result"] is (None if testmode else True), ret
    assert path.exists() is not testmode
    if not testmode:
        assert json.loads(path.read_text()) == {"full": {"last_success": 1790000000.0}}
        assert path.stat().st_mode & 0o777 == 0o644
        assert state.backups_told("told", {"full": {"last_success": 1790000000.0}})["changes"] == {}
