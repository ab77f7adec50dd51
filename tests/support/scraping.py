"""Exporters on one server of the lab, and scrapes of them from that server."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.lab import REPOSITORY, Lab, eventually

OURS, POSTGRES_EXPORTER, PATRONI = "pgha-exporter", "postgres_exporter", "patroni /metrics"
SCRAPER = Path(__file__).with_name("scraper.py")
FOLDER = "/etc/pgha/coolify_postgres"
PORT = 9187
Target = dict[str, Any]


@contextmanager
def exporters(lab: Lab, server: str) -> Iterator[dict[str, Target]]:
    """The targets on a server by name; Debian's exporter runs there for the block."""
    with postgres_exporter(lab, server) as pid:
        targets = [
            {"name": OURS, **ours(lab, server)},
            {"name": POSTGRES_EXPORTER, "url": f"http://127.0.0.1:{PORT}/metrics", "pid": pid},
            {"name": PATRONI, "url": "http://127.0.0.1:8008/metrics", "pid": 0},
        ]
        # The first scrape of a process checks the password, as Debian's has been asked already.
        scrape(lab, server, targets[:1], rounds=1)
        yield {str(target["name"]): target for target in targets}


def scrape(
    lab: Lab, server: str, targets: Sequence[Target], rounds: int, pause_s: float = 0.0,
    threads: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """What `tests.support.scraper` prints, with the process' memory afterwards."""
    wanted = {"targets": targets, "rounds": rounds, "pause_s": pause_s, "threads": threads}
    done = lab.run(
        server, "/opt/salt/bin/python", "-c", SCRAPER.read_text(),
        stdin=json.dumps(wanted), timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ours(lab: Lab, server: str) -> Target:
    """The exporter of a server, with the process that it is now."""
    pid = lab.check(
        server, "sh", "-c",
        "docker inspect --format '{{.State.Pid}}' "
        "$(docker ps --quiet --filter label=pgha.component=exporter)",
    )  # fmt: skip
    return {
        "url": f"https://{lab.address(server)}:8010/metrics",
        "ca": f"{FOLDER}/ca.crt",
        "user": "prometheus",
        "password": lab.read_secret("postgresql/exporter_password.txt"),
        "pid": int(pid),
    }


@contextmanager
def postgres_exporter(lab: Lab, server: str) -> Iterator[int]:
    """Debian's prometheus-postgres-exporter with its defaults, as pgha_monitor; its pid."""
    program = subprocess.check_output([REPOSITORY / "tools/postgres-exporter"], text=True).strip()
    lab.run(server, "pkill", "-f", "^/tmp/postgres_exporter ")  # Of a bench that was killed.
    subprocess.run(["docker", "cp", program, f"{server}:/tmp/postgres_exporter"], check=True)
    uri = f"127.0.0.1:5434/postgres?sslmode=verify-full&sslrootcert={FOLDER}/ca.crt"
    script = (
        "echo $$ > /tmp/postgres_exporter.pid; "
        f"DATA_SOURCE_URI='{uri}' DATA_SOURCE_USER=pgha_monitor "
        f"DATA_SOURCE_PASS_FILE={FOLDER}/exporter/monitor_password "
        f"exec /tmp/postgres_exporter --web.listen-address=127.0.0.1:{PORT} "
        ">/tmp/postgres_exporter.log 2>&1"
    )
    lab.check(server, "sh", "-c", f"nohup sh -c {shlex.quote(script)} >/dev/null 2>&1 &")
    try:
        answers = ("curl", "-fsS", f"http://127.0.0.1:{PORT}/metrics")
        eventually(
            lambda: "pg_up 1" in lab.run(server, *answers).stdout,
            deadline_s=20, what="an answer of Debian's exporter",
        )  # fmt: skip
        yield int(lab.check(server, "cat", "/tmp/postgres_exporter.pid"))
    finally:
        lab.run(server, "sh", "-c", "kill $(cat /tmp/postgres_exporter.pid)")
