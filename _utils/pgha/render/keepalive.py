"""Copies of a server that notice when it has died without a word.

``pg_basebackup`` and ``pg_rewind`` only read; when the power of the server they read from fails,
they wait until Linux asks after it, by default for two hours, and Patroni waits for them. It builds
their connection strings itself and has no setting for keepalives, but it lets every tool be another
program (``postgresql.bin_name``, used by ``Postgresql.pgcommand``), and libpq takes from a service
file what a connection string leaves open.

References: https://www.postgresql.org/docs/current/libpq-pgservice.html and libpq-connect.html.
"""

from __future__ import annotations

from pgha.render.places import IN_CONTAINER

KEEPALIVES = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
"""Seconds and a count: the kernel asks after 15 s of silence and gives up 15 s later."""

TOOLS = ("pg_basebackup", "pg_rewind")
SERVICE_FILE = "pg_service.conf"
_SERVICE = "keepalives"

SERVICES = "\n".join(
    [f"[{_SERVICE}]", *(f"{key}={value}" for key, value in KEEPALIVES.items()), ""]
)

SCRIPT = f"""\
#!/bin/sh
# Run by Patroni in place of the tool of this name, which is told to give up on a silent server.
export PGSERVICEFILE={IN_CONTAINER}/{SERVICE_FILE} PGSERVICE={_SERVICE}
exec "${{0##*/}}" "$@"
"""


def bin_name() -> dict[str, str]:
    """Patroni's setting; an absolute path counts as it is."""
    return {tool: f"{IN_CONTAINER}/{tool}" for tool in TOOLS}
