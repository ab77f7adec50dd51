"""What cannot be restored is refused before anything is touched, in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgha.backup.check import check_backup
from pgha.backup.names import manifest_of
from pgha.errors import DamagedStateError, PghaError, RefusedError
from tests.unit.backup.samples import FOREIGN, ours, put_backup, put_gzip


def silent(_: str) -> None:
    pass


def test_a_backup_of_ours(tmp_path: Path) -> None:
    checked = check_backup(put_backup(tmp_path, "20261124T050000Z"), 16, silent)
    assert checked.manifest is not None
    assert (checked.major, checked.needed_bytes) == (16, 1000)


def test_a_dump_from_elsewhere_needs_no_manifest(tmp_path: Path) -> None:
    checked = check_backup(put_gzip(tmp_path / "theirs.sql.gz", FOREIGN), 16, silent)
    assert (checked.manifest, checked.major) == (None, 16)


def test_an_older_dump_restores_and_a_newer_does_not(tmp_path: Path) -> None:
    theirs = put_gzip(tmp_path / "theirs.sql.gz", FOREIGN)
    assert check_backup(theirs, 17, silent).major == 16
    with pytest.raises(RefusedError, match="from PostgreSQL 16 and this cluster runs 15"):
        check_backup(theirs, 15, silent)
    with pytest.raises(RefusedError, match="from PostgreSQL 16"):
        check_backup(put_backup(tmp_path, "20261124T050000Z"), 15, silent)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (FOREIGN[:-60], "truncated"),
        (ours()[:-30], "truncated"),
        (ours().replace(b"-- pgha backup complete", b""), "truncated"),
        (b"PGDMP\x01\x0e", "not a dump in plain SQL"),
        (FOREIGN.replace(b" cluster", b""), "one database"),
    ],
)
def test_what_is_no_whole_dump_is_refused(tmp_path: Path, text: bytes, reason: str) -> None:
    with pytest.raises(PghaError, match=reason):
        check_backup(put_gzip(tmp_path / "x.sql.gz", text), 16, silent)


def test_a_changed_file_is_not_what_its_manifest_says(tmp_path: Path) -> None:
    path = put_backup(tmp_path, "20261124T050000Z")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedStateError, match=r"corrupted.*SHA-256"):
        check_backup(path, 16, silent)


def test_a_damaged_manifest_is_no_reason_to_believe_the_file(tmp_path: Path) -> None:
    path = put_backup(tmp_path, "20261124T050000Z")
    manifest_of(path).write_text(json.dumps({"version": 1}))
    with pytest.raises(DamagedStateError, match=r"manifest .* cannot be read"):
        check_backup(path, 16, silent)


def test_a_directory_lacks_what_its_manifest_names(tmp_path: Path) -> None:
    path = put_backup(tmp_path, "20261124T050000Z")
    folder = tmp_path / "postgres_backup_20261124T060000Z"
    folder.mkdir()
    manifest_of(path).rename(manifest_of(folder))
    with pytest.raises(DamagedStateError, match="lacks postgres_backup_20261124T050000Z"):
        check_backup(folder, 16, silent)


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="without a manifest"):
        check_backup(tmp_path, 16, silent)
