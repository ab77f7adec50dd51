"""Start `tests.support.probe` on a server, stop it, and look for every row that it was promised."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

from tests.support.lab import Done, Lab, eventually

PROBE = Path(__file__).with_name("probe.py")
HOSTNAME = "db.postgres.host.uk.com"
CA = "/etc/pgha/coolify_postgres/ca.crt"
TABLE = "probe_writes"
COLUMNS = "run uuid, client int, row int, PRIMARY KEY (run, client, row)"


class Writes:
    """Continuous writes from one server through the hostname; a context manager.

    ``report`` is that of the probe with ``found``: how many rows of this run are in the database.
    """

    def __init__(
        self, lab: Lab, server: str, port: int, clients: int, pause_s: float = 0.02
    ) -> None:
        self._lab = lab
        self._server = server
        self._settings = {
            "run": str(uuid.uuid4()),
            "clients": clients,
            "pause_s": pause_s,
            "conninfo": conninfo(port),
            "password": lab.read_secret("postgresql/app_password.txt"),
        }
        self.report: dict[str, Any] = {}

    def __enter__(self) -> Writes:
        query(self._lab, self._server, f"CREATE TABLE IF NOT EXISTS {TABLE} ({COLUMNS})")
        self._lab.check(
            self._server, "sh", "-c", f"cat > /tmp/probe.py <<'END'\n{PROBE.read_text()}\nEND"
        )
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", self._server, "/opt/salt/bin/python", "/tmp/probe.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(self._settings) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == "writing", self._process.stderr
        return self

    def __exit__(self, *_: object) -> None:
        answer, errors = self._process.communicate("stop\n", timeout=90)
        assert self._process.returncode == 0, errors
        self.report = json.loads(answer)
        run = self._settings["run"]
        counting = f"SELECT count(*) FROM {TABLE} WHERE run = '{run}'"
        # Routers need a moment to see who was promoted in the block.
        counted = eventually(
            lambda: asked(self._lab, self._server, 5432, counting).stdout.strip(),
            deadline_s=60,
            what="the count of the rows",
        )
        self.report["found"] = int(counted)

    @property
    def lost(self) -> int:
        """Acknowledged rows that are not there; rows with an unknown end may be there as well."""
        return max(0, int(self.report["acknowledged"]) - int(self.report["found"]))


def conninfo(port: int) -> str:
    """How an application connects."""
    return (
        f"host={HOSTNAME} port={port} dbname=application user=app_user "
        f"sslmode=verify-full sslrootcert={CA} connect_timeout=10"
    )


def query(lab: Lab, server: str, sql: str) -> str:
    """One statement as the application's user, from a server, through the router."""
    return from_process(lab, server, 5432, sql)


def from_process(lab: Lab, server: str, port: int, sql: str) -> str:
    """The first column of a statement's first row, asked by a plain process of the server."""
    done = asked(lab, server, port, sql)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def asked(lab: Lab, server: str, port: int, sql: str) -> Done:
    """What that process printed, whether it got an answer or not."""
    program = (
        "import sys, psycopg\n"
        "password = sys.stdin.readline().strip()\n"
        "with psycopg.connect(sys.argv[1], password=password, autocommit=True) as connection:\n"
        "    rows = connection.execute(sys.argv[2])\n"
        "    print(rows.fetchone()[0] if rows.description else 'done')\n"
    )
    password = lab.read_secret("postgresql/app_password.txt")
    return lab.run(
        server, "/opt/salt/bin/python", "-c", program, conninfo(port), sql, stdin=password
    )
