"""The note that keeps a deploy away from a half-done recovery."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgha.deploy.check import check
from pgha.errors import DamagedStateError, FailedError
from pgha.recover import journal
from tests.unit.deploy.test_check import deployment

NOTE = journal.Note("recover_survivors", "postgres-node-3", ("postgres-node-1",))


def test_a_note_is_read_as_it_was_written_and_goes(tmp_path: Path) -> None:
    journal.write(tmp_path, "c", NOTE)
    assert journal.read(tmp_path, "c") == NOTE
    assert oct(journal.path_of(tmp_path, "c").stat().st_mode)[-3:] == "600"
    journal.remove(tmp_path, "c")
    journal.remove(tmp_path, "c")
    assert journal.read(tmp_path, "c") is None


def test_a_damaged_note_is_not_taken_for_none(tmp_path: Path) -> None:
    journal.path_of(tmp_path, "c").write_text("{")
    with pytest.raises(DamagedStateError, match="run the recovery again"):
        journal.read(tmp_path, "c")


def test_a_deploy_waits_for_an_interrupted_recovery(tmp_path: Path) -> None:
    run, _ = deployment()
    run.state_dir = tmp_path
    journal.write(tmp_path, run.topology.cluster, NOTE)
    with pytest.raises(FailedError, match=r"postgres-node-3 was interrupted.*recover_survivors"):
        check(run)
