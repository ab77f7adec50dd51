"""Bad input and bad luck of backups: foreign dumps, another cluster's backups, full disks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.test_h_backup import (
    BACKUPS,
    CLUSTER,
    STATE,
    ask,
    locked_table,
    manifest,
    orchestrate,
    start_backup,
    succeeded,
)
from tests.support.lab import Deploy, Lab, eventually
from tests.support.operations import state_of

MIB = 1024**2
DIGEST = "SELECT count(*) || ' ' || md5(string_agg(note, '|' ORDER BY id)) FROM noted"


@pytest.fixture
def noted(cluster: Lab) -> Iterator[str]:
    """A table whose text a careless dump would break; the digest of its rows."""
    ask(cluster, "DROP TABLE IF EXISTS noted; CREATE TABLE noted (id int PRIMARY KEY, note text)")
    note = r"repeat('x', n % 50) || E'\t\n\\.\n' || chr(228) || chr(8364)"
    ask(cluster, f"INSERT INTO noted SELECT n, {note} FROM generate_series(1, 5000) AS n")
    yield ask(cluster, DIGEST)
    ask(cluster, "DROP TABLE IF EXISTS noted")


def new_backup(lab: Lab, form: str = "sql") -> str:
    """The name of a backup made now."""
    (state,) = succeeded(orchestrate(lab, "backup", format=form)).states.values()
    return next(name for name, change in state["changes"].items() if change["old"] is None)


def restore_over(lab: Lab, backup: str, digest: str) -> Deploy:
    """Restore over rows that came later; the backup's rows are on every server, the later ones not.

    What was kept aside is removed, and the deploy afterwards has nothing to do.
    """
    ask(lab, "INSERT INTO noted VALUES (-1, 'too late')")
    containers = lab.containers()
    unasked = orchestrate(lab, "restore", backup_file=backup)
    assert f"CONFIRM={CLUSTER}" in unasked.failure
    assert lab.containers() == containers
    run = succeeded(orchestrate(lab, "restore", backup_file=backup, confirm=CLUSTER))
    for server in lab.servers:
        found = lab.check(server, "psql", "-XAtq", "-d", "application", "-c", DIGEST).strip()
        assert found == digest, server
        aside = f"/var/lib/pgha/{CLUSTER}/postgresql/data.before-restore-*"
        lab.check(server, "sh", "-c", f"ls -d {aside} && rm -rf {aside}")
    lab.until_healthy()
    assert succeeded(lab.deploy()).changes == {}
    return run


@pytest.mark.fault
def test_a_dump_from_elsewhere_is_restored(cluster: Lab, noted: str) -> None:
    """By nothing but PostgreSQL's own pg_dumpall and gzip, without a manifest."""
    path = "/root/elsewhere.sql.gz"
    patroni = "$(docker ps -q --filter label=pgha.component=patroni --filter name=^patroni)"
    dump = f"docker exec -u 999 {patroni} pg_dumpall -h /var/run/postgresql -p 5434 -U postgres"
    cluster.check(cluster.controller, "sh", "-c", f"{dump} | gzip > {path}")
    try:
        run = restore_over(cluster, path, noted)
    finally:
        cluster.check(cluster.controller, "rm", "-f", path)
    assert "counted (it has no manifest)" in run.stdout


@pytest.mark.fault
def test_a_directory_is_restored(cluster: Lab, noted: str) -> None:
    name = new_backup(cluster, "directory")
    try:
        run = restore_over(cluster, name, noted)
    finally:
        cluster.check(cluster.controller, "sh", "-c", f"rm -rf {BACKUPS}/{name}*")
    assert "compared with its manifest" in run.stdout


def test_a_backup_of_another_cluster_needs_the_operators_word(cluster: Lab, noted: str) -> None:
    name = new_backup(cluster)
    theirs = f"/root/theirs/{name}"
    described = json.dumps({**manifest(cluster, name), "cluster": "warehouse"})
    place = f"mkdir -p /root/theirs && cp {BACKUPS}/{name} {theirs} && cat > {theirs}.manifest.json"
    assert cluster.run(cluster.controller, "sh", "-c", place, stdin=described).returncode == 0
    containers = cluster.containers()
    try:
        for word in (None, "warehouse"):
            run = orchestrate(cluster, "restore", backup_file=theirs, confirm=word)
            assert run.code != 0
            assert f"{name} is a backup of warehouse, not of {CLUSTER}" in run.failure
            assert "holds data on" in run.failure
            assert f"CONFIRM={CLUSTER}" in run.failure
        assert cluster.containers() == containers
        assert ask(cluster, DIGEST) == noted
        cluster.check(cluster.controller, "test", "!", "-e", f"{STATE}/postgresql/restore.json")
    finally:
        cluster.check(cluster.controller, "rm", "-rf", "/root/theirs")


@pytest.fixture
def ballast(cluster: Lab) -> Iterator[Lab]:
    """The cluster with about 30 MB that compress to little less than their half."""
    random = "string_agg(md5(random()::text), '')"
    rows = f"SELECT n, (SELECT {random} FROM generate_series(1, 32) WHERE n > 0)"
    ask(cluster, "DROP TABLE IF EXISTS ballast")
    ask(cluster, f"CREATE TABLE ballast AS {rows} FROM generate_series(1, 25000) AS n (n)")
    yield cluster
    ask(cluster, "DROP TABLE IF EXISTS ballast")


@contextmanager
def small_disk(lab: Lab, mebibytes: int) -> Iterator[None]:
    """The backups lie on an empty file system of that size for the block."""
    options = f"size={mebibytes}m,mode=0700"
    lab.check(lab.controller, "mount", "-t", "tmpfs", "-o", options, "small", BACKUPS)
    try:
        yield
    finally:
        unmount = ("umount", BACKUPS)
        eventually(
            lambda: lab.run(lab.controller, *unmount).returncode == 0,
            deadline_s=60,
            what="the small disk let go",
        )


def eat(lab: Lab, *, leave: int) -> None:
    """Something else takes the space of the backups' disk but so many bytes."""
    free = int(lab.check(lab.controller, "df", "--output=avail", "-B1", BACKUPS).split()[-1])
    lab.check(lab.controller, "fallocate", "-l", str(free - leave), f"{BACKUPS}/eaten")


def there(lab: Lab) -> list[str]:
    return lab.check(lab.controller, "ls", "-A", BACKUPS).split()


def sentence(state: dict[str, Any]) -> str:
    """Why it failed; one line, no traceback."""
    assert state["result"] is False, state
    comment: str = state["comment"]
    assert len(comment.splitlines()) == 1, comment
    assert "Traceback" not in comment
    return comment


def test_a_disk_too_small_for_the_dump_is_refused_before(ballast: Lab) -> None:
    with small_disk(ballast, 64):
        for form in ("sql", "directory"):
            refused = sentence(state_of(orchestrate(ballast, "backup", format=form).stdout))
            assert f"are free for {BACKUPS} on the Salt master" in refused
            assert there(ballast) == []
        eat(ballast, leave=0)
        full = sentence(state_of(orchestrate(ballast, "backup").stdout))
        assert "cannot be written: No space left on device" in full
        assert there(ballast) == ["eaten"]
    new_backup(ballast)


@pytest.mark.parametrize("form", ["sql", "directory"])
def test_a_disk_that_fills_up_during_the_dump_leaves_nothing(ballast: Lab, form: str) -> None:
    """The same command ends well when there is room again."""
    with small_disk(ballast, 256):
        with locked_table(ballast, "ballast") as release:
            run = start_backup(ballast, form)
            eat(ballast, leave=2 * MIB)
            release()
            output, errors = run.communicate(timeout=300)
        failed = sentence(state_of(output + errors))
        assert "No space left on device" in failed
        assert there(ballast) == ["eaten"]
        ballast.check(ballast.controller, "rm", f"{BACKUPS}/eaten")
        name = new_backup(ballast, form)
        rows = manifest(ballast, name)["databases"]["application"]["rows"]
        assert rows["public.ballast"] == 25000
        assert there(ballast) == sorted([name, f"{name}.manifest.json"])
