"""A backup that cannot even begin, because its folder cannot be written."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from pgha.backup.take import store_root, take_backup
from pgha.errors import FailedError
from pgha.operate.operation import Operation
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet

LEADER = {"role": "leader", "state": "running", "timeline": 1}


def test_a_full_disk_is_one_sentence_before_anything_was_asked_of_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/backups/.login-x")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    fleet = FakeFleet({"patroni.status": LEADER})
    operation = Operation(topology(), fleet, step=lambda what: nullcontext(), state_dir=tmp_path)
    with pytest.raises(
        FailedError, match=r"backups on the Salt master cannot be written: No space left on device;"
    ):
        take_backup(operation, "sql")
    assert list(store_root(tmp_path, topology()).iterdir()) == []
