"""What an application sees, as a process and as a container, on every server."""

from __future__ import annotations

import pytest

from tests.support.lab import Lab
from tests.support.writes import CA, conninfo, from_process

SERVERS = ("app-server-1", "app-server-2", "controller", "builder")
IMAGE = "pgha/patroni:16-4.1.5-1"
NOT_STARTED = 125
"""`docker run`: Docker could not start the container, which a busy machine does now and then."""


def from_container(lab: Lab, server: str, port: int, sql: str) -> str:
    """Run a query in a container on the server's ``coolify`` network, with psql."""
    password = lab.read_secret("postgresql/app_password.txt")
    command = (
        "docker", "run", "--rm", "-i", "--network", "coolify", "-v", f"{CA}:{CA}:ro",
        "--entrypoint", "sh", IMAGE, "-c",
        'IFS= read -r PGPASSWORD; export PGPASSWORD; exec psql -XAtq "$0" -c "$1"',
        conninfo(port), sql,
    )  # fmt: skip
    done = lab.run(server, *command, stdin=password + "\n")
    if done.returncode == NOT_STARTED:
        done = lab.run(server, *command, stdin=password + "\n")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("ask", [from_process, from_container])
@pytest.mark.parametrize("short", SERVERS)
def test_application_writes_reads_and_pools(cluster: Lab, short: str, ask) -> None:
    server = f"{short}.{cluster.domain}"
    table = f"seen_from_{short.replace('-', '_')}_{ask.__name__}"
    ask(cluster, server, 5432, f"CREATE TABLE IF NOT EXISTS {table} AS SELECT 42 AS answer")
    assert ask(cluster, server, 5432, f"SELECT answer FROM {table}") == "42"
    assert ask(cluster, server, 5433, "SELECT pg_is_in_recovery()") in ("True", "t")
    assert ask(cluster, server, 6432, f"SELECT answer FROM {table}") == "42"


def test_application_owns_its_database_and_nothing_more(cluster: Lab) -> None:
    server = cluster.servers[0]
    sql = (
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication "
        "FROM pg_roles WHERE rolname = current_user"
    )
    assert from_process(cluster, server, 5432, sql) == "False"
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'application'"
    assert from_process(cluster, server, 5432, owner) == "app_user"
