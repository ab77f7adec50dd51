"""A backup of a real PostgreSQL, restored into another; tools run here, not in containers."""

from __future__ import annotations

import dataclasses
import gzip
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgha.backup import manifest as manifests
from pgha.backup.access import IN_CONTAINER, access, credentials
from pgha.backup.check import check_backup
from pgha.backup.load import BACKUP_FOLDER, load
from pgha.backup.restore import _Member
from pgha.backup.store import BackupStore
from pgha.backup.take import store_root, take_backup
from pgha.backup.tools import ToolError, Tools
from pgha.errors import FailedError, RefusedError
from pgha.operate.operation import Operation, Outcome
from pgha.secrets import SecretStore
from tests.support.fake_fleet import FakeFleet
from tests.unit.clients.postgres_server import PASSWORD, Server, binaries, running_server

TOLD = "postgres_node.tell_backups"
CONTENT = """
CREATE ROLE shop LOGIN PASSWORD 'of the shop';
CREATE DATABASE "odd'name" OWNER shop;
"""
TABLES = """
CREATE TABLE t (id int PRIMARY KEY, note text);
INSERT INTO t SELECT n, repeat('x', n % 50) || E'\\n\\\\.\\n' FROM generate_series(1, 5000) n;
CREATE TABLE parent (id int) PARTITION BY RANGE (id);
CREATE TABLE "Part one" PARTITION OF parent FOR VALUES FROM (0) TO (10);
INSERT INTO parent SELECT generate_series(0, 9);
CREATE UNLOGGED TABLE scratch AS SELECT 1;
CREATE SCHEMA empty;
CREATE TABLE empty.nothing (id int);
"""


@pytest.fixture(scope="module")
def bin_dir() -> Path:
    found = binaries()
    if found is None:
        pytest.skip("no PostgreSQL server here; the lab's is asked by the integration tests")
    return found


@pytest.fixture(scope="module")
def source(bin_dir: Path) -> Iterator[Server]:
    with running_server(bin_dir) as server:
        _know_password(server)
        with psycopg.connect(**server.settings().parameters(), autocommit=True) as connection:
            for statement in CONTENT.strip().splitlines():
                connection.execute(statement)
        settings = server.settings().to_database("odd'name")
        with psycopg.connect(**settings.parameters()) as connection:
            connection.execute(TABLES)
        yield server


@pytest.fixture
def target(bin_dir: Path) -> Iterator[Server]:
    with running_server(bin_dir) as server:
        _know_password(server)
        yield server


@pytest.fixture(autouse=True)
def tools_run_here(monkeypatch: pytest.MonkeyPatch, bin_dir: Path) -> None:
    monkeypatch.setenv("PATH", f"{Path(__file__).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PGHA_TEST_BIN", str(bin_dir))
    monkeypatch.setattr("pgha.backup.access.give_to_tools", lambda path: None)
    monkeypatch.setattr("pgha.backup.dump.give_to_tools", lambda path: None)


def _know_password(server: Server) -> None:
    """The server was initialised with a password of its own."""
    path = server.root / "state" / "postgresql" / "superuser_password.txt"
    path.write_text(PASSWORD)
    for kind in ("crt", "key"):
        os.chown(server.root / "state" / "pki" / "master" / f"superuser.{kind}", os.getuid(), -1)


def operation(server: Server, **answer: Any) -> Operation:
    leader = {"role": "leader", "state": "running", "timeline": 1, **answer}
    replies = {
        "patroni.status": lambda minion, **_: leader if "app-server-1" in minion else None,
        TOLD: "backup.json",
    }
    return Operation(
        server.topology, FakeFleet(replies), step=lambda what: nullcontext(),
        state_dir=server.root / "state",
    )  # fmt: skip


def backup_of(server: Server, form: str) -> tuple[Path, manifests.Manifest, Outcome]:
    outcome = take_backup(operation(server), form)
    root = store_root(server.root / "state", server.topology)
    newest = max(BackupStore(root).all(), key=lambda backup: backup.path.stat().st_mtime)
    assert newest.manifest is not None
    assert [path for path in root.iterdir() if path.name.startswith(".")] == []
    return newest.path, newest.manifest, outcome


def restored(server: Server, path: Path) -> dict[str, dict[str, int]]:
    store = SecretStore(server.root / "state")
    major = int(os.environ["PGHA_TEST_BIN"].split("/")[-2])
    checked = check_backup(path, major, lambda _: None)
    with credentials(store, server.root) as folder:
        tools = Tools("image", "test", {folder: (IN_CONTAINER, "ro")})
        if checked.is_directory:
            tools = tools.with_mount(path, BACKUP_FOLDER, "ro")
        member = access(server.topology, server.topology.nodes[0], store, folder)
        return load(_Member(tools, member), checked, lambda _: None).rows


@pytest.mark.parametrize("form", ["sql", "directory"])
def test_what_goes_in_comes_out(source: Server, target: Server, form: str) -> None:
    path, made, outcome = backup_of(source, form)
    expected = {"public.t": 5000, "public.Part one": 10, "empty.nothing": 0}
    assert made.databases["odd'name"].rows == expected
    assert "Taken from the leader" in outcome.report[0]
    rows = restored(target, path)
    assert rows["odd'name"] == expected
    with psycopg.connect(**target.settings().parameters()) as connection:
        verifier = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'shop'"
        assert connection.execute(verifier).fetchone() == (True,)


def test_a_dump_from_elsewhere_keeps_our_superuser(
    source: Server, target: Server, tmp_path: Path
) -> None:
    path, _, _ = backup_of(source, "sql")
    theirs = gzip.decompress(path.read_bytes()).split(b"\n\n", 1)[1]
    theirs = theirs.replace(
        b"-- pgha backup complete", b"-- PostgreSQL database cluster dump complete"
    )
    (tmp_path / "all.sql.gz").write_bytes(gzip.compress(theirs))
    assert restored(target, tmp_path / "all.sql.gz")["odd'name"]["public.t"] == 5000
    with psycopg.connect(**target.settings().parameters()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_source_that_cannot_be_reached_leaves_nothing(source: Server) -> None:
    lost = operation(source)
    lost.topology = dataclasses.replace(source.topology, member_port=1)
    before = sorted(store_root(lost.state_dir, lost.topology).iterdir())
    with pytest.raises(FailedError, match=r"No backup was made.*cannot be read as superuser"):
        take_backup(lost, "sql")
    assert sorted(store_root(lost.state_dir, lost.topology).iterdir()) == before


def test_a_dead_source_is_left_for_the_next_one(source: Server) -> None:
    run = operation(source)
    dead = dataclasses.replace(source.topology.nodes[1], ip="127.0.0.9")
    nodes = (source.topology.nodes[0], dead, *source.topology.nodes[2:])
    run.topology = dataclasses.replace(source.topology, nodes=nodes)
    states = {
        "app-server-1.lan": {"role": "leader", "state": "running", "timeline": 1},
        "app-server-2.lan": {
            "role": "replica",
            "state": "streaming",
            "timeline": 1,
            "lag_bytes": 0,
        },
    }
    run.fleet = FakeFleet(
        {"patroni.status": lambda minion, **_: states.get(minion), TOLD: "backup.json"}
    )
    outcome = take_backup(run, "sql")
    assert outcome.report[0].startswith(
        "Taken from app-server-1.lan, a leader, after others failed"
    )
    assert "app-server-2.lan: PostgreSQL on app-server-2.lan (127.0.0.9:" in outcome.report[0]


def test_a_source_that_freezes_is_given_up(source: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgha.backup.snapshot.ANSWER_TIMEOUT_S", 0.3)
    monkeypatch.setattr("pgha.backup.access.CONNECT_TIMEOUT_S", 2)
    with source.frozen(), pytest.raises(FailedError, match="No backup was made"):
        take_backup(operation(source), "sql")


def test_a_full_disk_is_seen_before(source: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("usage", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(RefusedError, match=r"Only 1\.0 MB are free"):
        take_backup(operation(source), "sql")


def test_a_disk_that_a_tool_fills_is_not_the_sources_fault(
    source: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is filled while pg_dump writes into it; every source would fill it again."""
    usage = type("usage", (), {"free": 10**12})

    def fill(command: list[str]) -> None:
        usage.free = 0
        raise ToolError("pg_dump", "could not write to file: No space left on device")

    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    monkeypatch.setattr("pgha.backup.dump.run", fill)
    run = operation(source)
    with pytest.raises(FailedError, match="cannot be written: No space left on device"):
        take_backup(run, "directory")
    assert list(store_root(run.state_dir, run.topology).glob(".*")) == []


def test_a_plan_says_from_where(source: Server) -> None:
    planned = operation(source)
    planned.test = True
    outcome = take_backup(planned, "directory")
    assert list(outcome.changes.values()) == [
        {"old": None, "new": "directory from app-server-1.lan"}
    ]


def test_an_unknown_format_is_refused(source: Server) -> None:
    with pytest.raises(RefusedError, match="the formats are sql, directory"):
        take_backup(operation(source), "tar")
