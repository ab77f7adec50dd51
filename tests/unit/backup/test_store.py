"""What counts as a backup, what may go and what must stay."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from pgha.backup import store
from pgha.backup.names import database_folder, manifest_of, new_name, verified_of
from pgha.backup.store import BackupStore
from pgha.errors import NotFoundError
from tests.unit.backup.samples import NOW, put_backup, put_gzip


def days_ago(count: float) -> str:
    return (NOW - timedelta(days=count)).isoformat(timespec="seconds")


def verify(path: Path, ok: bool = True) -> None:
    record = {"ok": ok, "verified_at": days_ago(0), "problem": "rows differ"}
    BackupStore(path.parent).record_verified(path, record)


def test_names_sort_by_time_and_a_database_may_have_any_name() -> None:
    assert new_name(NOW, "sql") == "postgres_backup_20261124T060000Z.sql.gz"
    assert new_name(NOW, "directory") == "postgres_backup_20261124T060000Z"
    assert database_folder("a/../b c") == "database-a%2F..%2Fb%20c"


def test_unfinished_runs_and_strangers_are_no_backups(tmp_path: Path) -> None:
    good = put_backup(tmp_path, "20261124T050000Z")
    put_gzip(tmp_path / ".postgres_backup_20261124T055000Z.sql.gz", b"half")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".login-x").mkdir()
    backups = BackupStore(tmp_path)
    assert [backup.path for backup in backups.all()] == [good]
    assert backups.remove_unfinished() == [
        ".login-x",
        ".postgres_backup_20261124T055000Z.sql.gz",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [good.name, manifest_of(good).name, "notes.txt"]
    )


def test_a_manifest_whose_backup_never_came_goes_with_the_next_run(tmp_path: Path) -> None:
    orphan = put_backup(tmp_path, "20261124T050000Z")
    orphan.unlink()
    assert BackupStore(tmp_path).remove_unfinished() == [manifest_of(orphan).name]


def test_retention_lets_the_old_go_with_all_that_lies_beside(tmp_path: Path) -> None:
    old = put_backup(tmp_path, "20261101T000000Z", finished_at=days_ago(23))
    verify(old)
    new = put_backup(tmp_path, "20261123T000000Z", finished_at=days_ago(1))
    verify(new)
    assert BackupStore(tmp_path).remove_expired(NOW, days=7) == [old.name]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {new.name, manifest_of(new).name, verified_of(new).name}


def test_retention_keeps_the_newest_good_and_the_newest_verified(tmp_path: Path) -> None:
    older = put_backup(tmp_path, "20260901T000000Z", finished_at=days_ago(84))
    proved = put_backup(tmp_path, "20261001T000000Z", finished_at=days_ago(54))
    verify(older)
    verify(proved)
    newest = put_backup(tmp_path, "20261101T000000Z", finished_at=days_ago(23))
    assert BackupStore(tmp_path).remove_expired(NOW, days=7) == [older.name]
    assert proved.exists()
    assert newest.exists()


def test_a_failed_verification_protects_nothing_and_is_told(tmp_path: Path) -> None:
    path = put_backup(tmp_path, "20261101T000000Z", finished_at=days_ago(23))
    verify(path, ok=False)
    (backup,) = BackupStore(tmp_path).all()
    row = store.described(backup, NOW)
    assert (row["verified_at"], row["verify_problem"]) == (None, "rows differ")


def test_a_backup_without_a_usable_manifest_is_never_removed(tmp_path: Path) -> None:
    foreign = put_gzip(tmp_path / "postgres_backup_20200101.sql.gz", b"x")
    damaged = put_backup(tmp_path, "20200102T000000Z")
    manifest_of(damaged).write_text("{")
    put_backup(tmp_path, "20261124T050000Z")
    assert BackupStore(tmp_path).remove_expired(NOW, days=1) == []
    assert foreign.exists()
    assert damaged.exists()
    rows = {b.path: store.described(b, NOW)["problem"] for b in BackupStore(tmp_path).all()}
    assert rows[foreign] == "it has no manifest"
    assert "cannot be read" in rows[damaged]


def test_the_summary_shows_ages(tmp_path: Path) -> None:
    assert store.summary([], NOW) == {"last": None, "verified": None}
    path = put_backup(tmp_path, "20261124T050000Z")
    verified_of(path).write_text(
        json.dumps({"ok": True, "verified_at": (NOW - timedelta(minutes=2)).isoformat()})
    )
    summary = store.summary(BackupStore(tmp_path).all(), NOW)
    assert summary["last"]["age_s"] == 3590
    assert summary["verified"] == {
        "name": path.name,
        "at": "2026-11-24T05:58:00+00:00",
        "age_s": 120,
    }


def test_find_names_what_is_there(tmp_path: Path) -> None:
    backups = BackupStore(tmp_path)
    with pytest.raises(NotFoundError, match=r"no backup in .*postgres\.backup"):
        backups.find(None)
    path = put_backup(tmp_path, "20261124T050000Z")
    assert backups.find(None) == path
    assert backups.find(path.name) == path
    assert backups.find(str(path)) == path
    with pytest.raises(NotFoundError, match=f"There is no backup nothing.*{path.name}"):
        backups.find("nothing.sql.gz")
    with pytest.raises(NotFoundError):
        backups.find(manifest_of(path).name)
