"""Run by tools/bench-backup in Salt's Python on the master: fill, dump both ways, compare."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, "/srv/pgha/ext/_utils")

import psycopg

from pgha.backup.access import IN_CONTAINER, Access, access, credentials
from pgha.backup.gzipped import LEVEL
from pgha.backup.manifest import read
from pgha.backup.store import BackupStore
from pgha.backup.take import store_root
from pgha.backup.tools import Tools, run
from pgha.secrets import SecretStore
from pgha.topology import Topology

STATE = Path("/var/lib/pgha-state")
WANTED = 0.9

TABLE = """
CREATE TABLE orders AS
SELECT n AS id, md5(n::text) AS reference, (random() * 10000)::numeric(10, 2) AS amount,
       now() - n * interval '1 second' AS ordered_at, 'customer ' || n % 10000 AS customer,
       repeat(chr(97 + n % 26), n % 40) AS note
  FROM generate_series(1, %s) AS n
"""


def salt_run(*arguments: str) -> Any:
    done = subprocess.run(
        ["salt-run", "--out=json", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout)


def fill(leader: Access, rows: int) -> None:
    """A database of its own, the same in every run of as many rows."""
    with psycopg.connect(**leader.for_driver("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bench")
        connection.execute("CREATE DATABASE bench")
    with psycopg.connect(**leader.for_driver("bench")) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(TABLE.replace("%s", str(rows)))


def drop(leader: Access) -> None:
    with psycopg.connect(**leader.for_driver("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bench")


def caught_up(leader: Access, replica: Access) -> None:
    """Wait until the replica has replayed what the leader has written."""
    with psycopg.connect(**leader.for_driver("postgres"), autocommit=True) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    assert row is not None
    with psycopg.connect(**replica.for_driver("postgres"), autocommit=True) as connection:
        behind = "SELECT pg_last_wal_replay_lsn() < %s::pg_lsn"
        while connection.execute(behind, row).fetchone() == (True,):
            time.sleep(0.2)


def bare(tools: Tools, member: Access) -> float:
    """Seconds of ``pg_dumpall | gzip`` into a file, in a container like the backup's own."""
    dump = ["pg_dumpall", "--dbname", member.for_tools("postgres")]
    script = f'"$@" | gzip -{LEVEL} > {IN_CONTAINER}/bare.sql.gz'
    started = time.monotonic()
    run(tools.command(["bash", "-o", "pipefail", "-c", script, "bash", *dump]))
    return time.monotonic() - started


def ours(topology: Topology) -> tuple[float, int, str]:
    """Seconds of a backup as its manifest says, its raw bytes and where it came from."""
    salt_run("state.orchestrate", "postgres.backup")
    newest = BackupStore(store_root(STATE, topology)).newest_good()
    assert newest is not None
    made = read(newest.path)
    assert made is not None
    assert made.raw_bytes is not None
    return made.duration_s, made.raw_bytes, made.source["node"]


def main(rows: int, rounds: int) -> int:
    pillar = salt_run("pillar.show_pillar")
    topology = Topology.from_pillar(pillar)
    store = SecretStore.of(STATE, topology)
    status = salt_run("postgres.status")
    with credentials(store, Path("/var/tmp")) as folder:  # noqa: S108 - a folder of mode 0700
        leader = access(topology, topology.node(status["leader"]), store, folder)
        fill(leader, rows)
        try:
            _, raw, source = ours(topology)
            member = access(topology, topology.node(source), store, folder)
            caught_up(leader, member)
            tools = Tools(topology.images.patroni, "bench", {folder: (IN_CONTAINER, "rw")})
            times = [(bare(tools, member), ours(topology)[0]) for _ in range(rounds)]
        finally:
            drop(leader)
    theirs, mine = (min(column) for column in zip(*times, strict=True))
    rate = raw / 1e6
    print(f"{rate:.0f} MB from {source}, gzip -{LEVEL}, best of {rounds}")
    print(f"pg_dumpall | gzip   {theirs:6.1f} s  {rate / theirs:6.1f} MB/s")
    print(f"postgres.backup     {mine:6.1f} s  {rate / mine:6.1f} MB/s  {theirs / mine:.0%}")
    return 0 if theirs / mine >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
