"""Backup, verification and restore, under continuous writes and with what can go wrong."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.test_g_switchover import kill_postgresql
from tests.support.lab import Deploy, Lab, eventually

STATE = "/var/lib/pgha-state"
BACKUPS = f"{STATE}/postgresql/backups"
CLUSTER = "coolify_postgres"

WRITER = """
import sys, psycopg
conninfo, password, acknowledged = sys.argv[1], sys.stdin.readline().strip(), 0
with psycopg.connect(conninfo, password=password, autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS written (n bigint PRIMARY KEY, at timestamptz)")
    first = connection.execute("SELECT coalesce(max(n), 0) FROM written").fetchone()[0]
    print("writing", flush=True)
    import threading
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.wait(0.005):
        acknowledged += 1
        connection.execute("INSERT INTO written VALUES (%s, now())", (first + acknowledged,))
print(first + acknowledged, flush=True)
"""


def orchestrate(lab: Lab, name: str, **pillar: Any) -> Deploy:
    started = time.monotonic()
    done = lab.salt_run(
        "state.orchestrate", f"postgres.{name}", "--out=json", f"pillar={json.dumps(pillar)}"
    )
    return Deploy(done, time.monotonic() - started)


def succeeded(run: Deploy) -> Deploy:
    assert run.code == 0, run.stdout + run.stderr
    return run


def leader(lab: Lab) -> str:
    """The server that leads; an election that is under way is waited for."""
    found: str = eventually(lambda: holder(lab), deadline_s=120, what="a leader")
    return found


def holder(lab: Lab) -> str | None:
    """The server with the leader key, asked of Patroni: quicker than the whole status. A dead one
    has it until its ttl ends."""
    asked = ("curl", "-fsS", "--max-time", "10", "http://localhost:8008/cluster")
    answers = (lab.run(server, *asked) for server in lab.servers)
    answer = next((done.stdout for done in answers if done.returncode == 0), '{"members": []}')
    names = [m["name"] for m in json.loads(answer)["members"] if m["role"] == "leader"]
    return next((node["host"] for node in lab.nodes() if node["name"] in names), None)


def ask(lab: Lab, sql: str, database: str = "application") -> str:
    """As superuser on the leader."""
    return lab.check(leader(lab), "psql", "-XAtq", "-d", database, "-c", sql).strip()


def listed(lab: Lab) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(lab.salt_run("postgres.backups", "--out=json").stdout)[
        "backups"
    ]
    return rows


def manifest(lab: Lab, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        lab.check(lab.controller, "cat", f"{BACKUPS}/{name}.manifest.json")
    )
    return found


def unfinished(lab: Lab) -> list[str]:
    names = lab.check(lab.controller, "ls", "-A", BACKUPS).split()
    return [name for name in names if name.startswith(".")]


class Writing:
    """Rows that the application was told are committed."""

    total = 0


@contextmanager
def writing(lab: Lab) -> Iterator[Writing]:
    """One application writes through the hostname for as long as the block runs."""
    server = lab.servers[1]
    ca = f"/etc/pgha/{CLUSTER}/ca.crt"
    conninfo = (
        f"host=db.postgres.host.uk.com dbname=application user=app_user sslmode=verify-full "
        f"sslrootcert={ca} connect_timeout=5"
    )
    written = Writing()
    with subprocess.Popen(
        ["docker", "exec", "-i", server, "/opt/salt/bin/python", "-c", WRITER, conninfo],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lab.read_secret("postgresql/app_password.txt") + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "writing\n"
        yield written
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    written.total = int(output)


@pytest.fixture(scope="module")
def backup(lab: Lab, first_deploy: Deploy) -> str:
    """A backup taken while an application writes; its name."""
    assert first_deploy.code == 0, first_deploy.stdout + first_deploy.stderr
    with writing(lab) as written:
        run = succeeded(orchestrate(lab, "backup"))
    (state,) = run.states.values()
    assert "a replica" in state["comment"], state["comment"]
    (name,) = [name for name, change in state["changes"].items() if change["old"] is None]
    rows = manifest(lab, name)["databases"]["application"]["rows"]["public.written"]
    assert 0 < rows <= written.total
    assert int(ask(lab, "SELECT count(*) FROM written")) == written.total
    return str(name)


def test_a_backup_is_whole_and_described(cluster: Lab, backup: str) -> None:
    cluster.check(cluster.controller, "gzip", "--test", f"{BACKUPS}/{backup}")
    digest = cluster.check(cluster.controller, "sha256sum", f"{BACKUPS}/{backup}").split()[0]
    made = manifest(cluster, backup)
    assert made["sha256"] == {backup: digest}
    assert made["source"]["node"] != cluster.status()["leader"]
    # The rows in the file are those that the manifest counted, although rows kept coming.
    dumped = cluster.check(
        cluster.controller, "sh", "-c",
        f"zcat {BACKUPS}/{backup} | sed -n '/^COPY public.written /,/^\\\\\\.$/p' | wc -l",
    )  # fmt: skip
    assert int(dumped) - 2 == made["databases"]["application"]["rows"]["public.written"]
    mode = cluster.check(cluster.controller, "stat", "-c", "%a", f"{BACKUPS}/{backup}").strip()
    assert mode == "600"
    assert unfinished(cluster) == []


def test_status_and_list_show_it(cluster: Lab, backup: str) -> None:
    assert cluster.status()["backup"]["last"]["name"] == backup
    assert listed(cluster)[0]["name"] == backup
    assert backup in cluster.salt_run("postgres.backups").stdout


def test_it_is_verified_by_restoring_it(cluster: Lab, backup: str) -> None:
    run = succeeded(orchestrate(cluster, "backup_verify"))
    (state,) = run.states.values()
    assert f"{backup} was restored and compared" in state["comment"]
    assert cluster.status()["backup"]["verified"]["name"] == backup
    label = ("docker", "ps", "--all", "--quiet", "--filter", "label=pgha.backup")
    assert cluster.check(cluster.controller, *label) == ""
    assert unfinished(cluster) == []


def test_the_directory_format_is_verified_too(cluster: Lab, backup: str) -> None:
    run = succeeded(orchestrate(cluster, "backup", format="directory"))
    (state,) = run.states.values()
    (name,) = [name for name, change in state["changes"].items() if change["old"] is None]
    verified = succeeded(orchestrate(cluster, "backup_verify", backup_file=name))
    assert "was restored and compared" in verified.stdout
    cluster.check(cluster.controller, "rm", "-rf", f"{BACKUPS}/{name}")


def test_two_backups_at_once_are_an_error(cluster: Lab, backup: str) -> None:
    holder = (
        "import fcntl, sys\n"
        f"lock = open('{STATE}/.{CLUSTER}.backup.lock', 'a')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    command = ["docker", "exec", "-i", cluster.controller, "/opt/salt/bin/python", "-c", holder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "held\n"
        second = orchestrate(cluster, "backup")
        run.communicate("\n")
    assert second.code != 0
    assert "Another run" in second.failure
    assert listed(cluster)[0]["name"] == backup


def locks_of(table: str) -> str:
    """Who holds a table exclusively; the tail of a query."""
    return (
        "FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted "
        f"AND relation = to_regclass('{table}')"
    )


@contextmanager
def locked_table(lab: Lab, table: str = "written") -> Iterator[Callable[[], None]]:
    """A table locked exclusively: replay locks it on the replicas too, and every dump waits.
    The value releases it."""
    lock = f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
    release = f"SELECT pg_terminate_backend(pid) {locks_of(table)}"
    command = ["docker", "exec", leader(lab), "psql", "-XAtq", "-d", "application", "-c", lock]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        try:
            eventually(
                lambda: locked_everywhere(lab, table), deadline_s=90, what="a lock on every server"
            )
            yield lambda: print(ask(lab, release))
        finally:
            ask(lab, release)


def locked_everywhere(lab: Lab, table: str) -> bool:
    """A commit sends the lock to the replicas, which nothing else does on an idle cluster."""
    ask(lab, "SELECT pg_logical_emit_message(true, 'test', 'a commit')")
    query = ("psql", "-XAtq", "-d", "application", "-c", f"SELECT count(*) {locks_of(table)}")
    # A replica that has not replayed the table's creation yet knows no such table.
    return all(lab.run(server, *query).stdout.strip() == "1" for server in lab.servers)


def dump_runs(lab: Lab, run: subprocess.Popen[str]) -> bool:
    assert run.poll() is None, f"the backup ended before its dump was seen: {run.communicate()}"
    begun = any("postgres_backup" in name for name in unfinished(lab))
    container = ("docker", "ps", "--quiet", "--filter", "label=pgha.backup")
    return begun and bool(lab.check(lab.controller, *container))


def dumped(lab: Lab) -> str | None:
    """The server on which a backup has sessions now."""
    sessions = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pgha_backup'"
    query = ("psql", "-XAtq", "-d", "postgres", "-c", sessions)
    return next((s for s in lab.servers if lab.run(s, *query).stdout.strip() == "t"), None)


def start_backup(lab: Lab, form: str = "sql") -> subprocess.Popen[str]:
    """A backup that runs beside the test, once its dump runs; its pid is in /tmp/backup.pid."""
    script = 'echo $$ > /tmp/backup.pid; exec salt-run --out=json state.orchestrate "$@"'
    asked = ["postgres.backup", f'pillar={{"format": "{form}"}}']
    run = subprocess.Popen(
        ["docker", "exec", lab.controller, "sh", "-c", script, "sh", *asked],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: dump_runs(lab, run), deadline_s=120, what="a dump that runs")
    return run


def test_a_killed_backup_leaves_nothing_that_looks_like_one(cluster: Lab, backup: str) -> None:
    before = {row["name"] for row in listed(cluster)}
    with locked_table(cluster):
        run = start_backup(cluster)
        cluster.check(cluster.controller, "sh", "-c", "kill -9 $(cat /tmp/backup.pid)")
        run.communicate(timeout=90)
        assert {row["name"] for row in listed(cluster)} == before
    succeeded(orchestrate(cluster, "backup"))
    assert unfinished(cluster) == []


@pytest.mark.fault
def test_a_source_that_dies_in_the_middle_is_left_for_the_next(cluster: Lab, backup: str) -> None:
    """The source is whoever is being dumped; the lags of the last seconds decide who that is."""
    with locked_table(cluster) as release:
        run = start_backup(cluster)
        source = eventually(lambda: dumped(cluster), deadline_s=60, what="a session of the dump")
        assert source != leader(cluster)
        kill_postgresql(cluster, source)
        release()
        output, errors = run.communicate(timeout=300)
    assert run.returncode == 0, output + errors
    assert "after others failed" in output
    assert source in output
    assert unfinished(cluster) == []
    succeeded(orchestrate(cluster, "backup_verify"))
    succeeded(cluster.deploy())


def test_a_servers_certificate_does_not_make_a_superuser(cluster: Lab) -> None:
    program = (
        "import sys, psycopg\n"
        "try:\n"
        "    psycopg.connect(sys.argv[1], password=sys.stdin.readline().strip())\n"
        "except psycopg.OperationalError as error:\n"
        "    sys.exit(str(error))\n"
    )
    folder = f"/etc/pgha/{CLUSTER}"
    plain = (
        f"host={cluster.address(cluster.servers[0])} port=5434 user=postgres dbname=postgres "
        f"sslmode=verify-full sslrootcert={folder}/ca.crt"
    )
    # libpq wants the key to be its user's own.
    copy = f"install -m 600 {folder}/etcd/client.key /tmp/client.key"
    cluster.check(cluster.servers[1], "sh", "-c", copy)
    certified = f"{plain} sslcert={folder}/etcd/client.crt sslkey=/tmp/client.key"
    password = cluster.read_secret("postgresql/superuser_password.txt")

    def login(server: str, conninfo: str) -> tuple[int, str]:
        command = ("/opt/salt/bin/python", "-c", program, conninfo)
        done = cluster.run(server, *command, stdin=password)
        return done.returncode, done.stderr

    assert login(cluster.servers[0], plain)[0] == 0, "the password is right, on its own server"
    code, said = login(cluster.servers[1], plain)
    assert (code, "requires a valid client certificate" in said) == (1, True), said
    # PostgreSQL names the method of the line, whatever was wrong with the certificate's name.
    code, said = login(cluster.servers[1], certified)
    assert (code, "authentication failed" in said) == (1, True), said


def test_a_corrupted_backup_is_refused_before_anything_is_touched(
    cluster: Lab, backup: str
) -> None:
    containers = cluster.containers()
    script = (
        f"cd {BACKUPS}; cp {backup} damaged.sql.gz; "
        "printf x | dd of=damaged.sql.gz bs=1 seek=700 conv=notrunc"
    )
    cluster.check(cluster.controller, "sh", "-c", script)
    reasons = {"damaged": "corrupted", "missing": "There is no backup"}
    try:
        for name, word in reasons.items():
            run = orchestrate(cluster, "restore", backup_file=f"{name}.sql.gz", confirm=CLUSTER)
            assert run.code != 0
            assert word in run.failure
            assert "Traceback" not in run.stdout + run.stderr
        assert cluster.containers() == containers
    finally:
        cluster.check(
            cluster.controller, "sh", "-c",
            f"rm -f {BACKUPS}/damaged.sql.gz",
        )  # fmt: skip


def test_data_is_only_replaced_when_told_so(cluster: Lab, backup: str) -> None:
    containers = cluster.containers()
    run = orchestrate(cluster, "restore", backup_file=backup)
    assert run.code != 0
    assert f"CONFIRM={CLUSTER}" in run.failure
    assert cluster.containers() == containers


def test_a_restore_brings_the_backup_and_keeps_the_old_data(cluster: Lab, backup: str) -> None:
    rows = manifest(cluster, backup)["databases"]["application"]["rows"]
    ask(cluster, "INSERT INTO written SELECT 10000000 + n, now() FROM generate_series(1, 7) AS n")
    run = succeeded(
        cluster.deploy(
            "pillar="
            + json.dumps({"restore_from_backup": True, "backup_file": backup, "confirm": CLUSTER})
        )
    )
    assert "compared with its manifest" in run.stdout
    assert int(ask(cluster, "SELECT count(*) FROM written")) == rows["public.written"]
    assert ask(cluster, "SELECT count(*) FROM written WHERE n > 10000000") == "0"
    for server in cluster.servers:
        aside = cluster.check(
            server, "sh", "-c",
            f"ls -d /var/lib/pgha/{CLUSTER}/postgresql/data.before-restore-*",
        )  # fmt: skip
        assert aside.strip()
        cluster.check(server, "sh", "-c", f"rm -rf {' '.join(aside.split())}")
    cluster.until_healthy()
    again = succeeded(cluster.deploy())
    assert again.changes == {}
