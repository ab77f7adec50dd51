"""Old data is renamed, never deleted, and never while somebody uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgha.errors import ConflictError, RefusedError
from pgha.node.aside import directory, look, set_aside
from tests.support.clusters import topology

STACK = "coolify_postgres-postgres-node-1-patroni"
STOPPED = {STACK: {"patroni": "exited", "restapi": "exited"}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = directory(topology(), str(tmp_path))
    path.mkdir(parents=True)
    (path / "PG_VERSION").write_text("16\n")
    return path


def test_what_is_there(data: Path, tmp_path: Path) -> None:
    assert look(topology(), str(tmp_path)) == {"present": True, "bytes": 3}
    (data / "PG_VERSION").unlink()
    assert look(topology(), str(tmp_path)) == {"present": False, "bytes": 0}


def test_it_is_kept_under_its_new_name_once(data: Path, tmp_path: Path) -> None:
    path = set_aside(topology(), "before-restore-1", STOPPED, str(tmp_path))
    assert path == f"{data}.before-restore-1"
    assert (Path(path) / "PG_VERSION").read_text() == "16\n"
    assert set_aside(topology(), "before-restore-1", STOPPED, str(tmp_path)) is None


@pytest.mark.parametrize("state", ["running", "restarting", "paused"])
def test_a_data_directory_in_use_is_left_alone(data: Path, tmp_path: Path, state: str) -> None:
    with pytest.raises(RefusedError, match="in use"):
        set_aside(topology(), "x", {STACK: {"patroni": state}}, str(tmp_path))
    assert data.is_dir()


def test_a_label_that_is_taken_or_leads_elsewhere_is_refused(data: Path, tmp_path: Path) -> None:
    Path(f"{data}.x").mkdir()
    with pytest.raises(ConflictError):
        set_aside(topology(), "x", STOPPED, str(tmp_path))
    with pytest.raises(RefusedError):
        set_aside(topology(), "x/../../etc", STOPPED, str(tmp_path))
