"""What the exporter on the controller is told about backups."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pgha.backup import told
from pgha.backup.store import BackupStore
from pgha.operate.operation import Operation
from pgha.topology import Topology
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet
from tests.unit.backup.samples import NOW, put_backup

CONTROLLER = "controller.lan"
VERB = "postgres_node.tell_backups"


def moment(days: int) -> datetime:
    return NOW - timedelta(days=days)


def put(folder: Path, days: int, verified: int | None = None) -> None:
    at = moment(days)
    path = put_backup(folder, at.strftime("%Y%m%dT%H%M%SZ"), finished_at=at.isoformat())
    if verified is not None:
        record = {"ok": True, "verified_at": moment(verified).isoformat()}
        BackupStore(folder).record_verified(path, record)


def operation(fleet: FakeFleet, cluster: Topology | None = None) -> Operation:
    return Operation(cluster or topology(), fleet, lambda what: pytest.fail(what))


def test_the_newest_backup_and_the_newest_proof_count(tmp_path: Path) -> None:
    put(tmp_path, days=9, verified=2)
    put(tmp_path, days=1)
    found = told.times(BackupStore(tmp_path).all())
    assert found == {
        "full": {
            "last_success": moment(1).timestamp(),
            "last_verified": moment(2).timestamp(),
        }
    }


def test_what_never_was_is_left_out(tmp_path: Path) -> None:
    assert told.times([]) == {"full": {}}
    put(tmp_path, days=1)
    assert set(told.times(BackupStore(tmp_path).all())["full"]) == {"last_success"}


def test_the_controller_is_told(tmp_path: Path) -> None:
    put(tmp_path, days=1)
    fleet = FakeFleet({VERB: "/var/lib/pgha/coolify_postgres/exporter/backup.json"})
    assert told.tell(operation(fleet), BackupStore(tmp_path).all()) == []
    ((minions, function, asked),) = fleet.asked
    assert (minions, function) == ((CONTROLLER,), VERB)
    assert asked["args"] == ({"full": {"last_success": moment(1).timestamp()}},)


def test_a_controller_that_is_down_fails_no_backup_and_is_named() -> None:
    (sentence,) = told.tell(operation(FakeFleet({VERB: ""}, silent=[CONTROLLER])), [])
    assert sentence.startswith(f"The exporter on {CONTROLLER} was not told")
    assert "it did not answer" in sentence


def test_a_controller_without_an_exporter_is_not_asked() -> None:
    fleet = FakeFleet({})
    assert told.tell(operation(fleet, topology(coolify_controller="elsewhere.lan")), []) == []
    assert fleet.asked == []
