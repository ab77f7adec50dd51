"""The files of the router stack: HAProxy and PgBouncer mount the same directory."""

from __future__ import annotations

from pgha.render import haproxy, pgbouncer
from pgha.render.entities import ManagedFile
from pgha.render.material import Secrets, ca_file, certificate_files
from pgha.render.places import PGBOUNCER, ROOT, config_directory
from pgha.topology import Node, Topology

COMPONENT = "router"


def files(topology: Topology, _node: Node, secrets: Secrets) -> list[ManagedFile]:
    """Everything in ``/etc/pgha/<cluster>/router``; the secrets belong to PgBouncer's user."""
    directory = config_directory(topology, COMPONENT)
    return [
        _public(f"{directory}/haproxy.cfg", haproxy.config(topology)),
        _public(f"{directory}/pgbouncer.ini", pgbouncer.config(topology)),
        ManagedFile(
            f"{directory}/userlist.txt",
            pgbouncer.user_list(secrets),
            0o600,
            PGBOUNCER,
            PGBOUNCER,
            True,
            COMPONENT,
        ),
        ca_file(secrets, directory, COMPONENT),
        *certificate_files(secrets, "pgbouncer", directory, "pgbouncer", PGBOUNCER, COMPONENT),
    ]


def _public(path: str, content: str) -> ManagedFile:
    return ManagedFile(path, content, 0o644, ROOT, ROOT, False, COMPONENT)
