"""Commands on each server that lead into the containers, whose names nobody can remember.

The scripts are the same for every cluster, so that several can share a server; what differs lies
in ``/etc/pgha/<cluster>/cluster.env``.
"""

from __future__ import annotations

from pgha.render import etcd, scripts
from pgha.render.accounts import SUPERUSER
from pgha.render.entities import ManagedFile
from pgha.render.places import IN_CONTAINER, POSTGRES, ROOT, SOCKETS, cluster_directory
from pgha.topology import Node, Topology

COMPONENT = "wrapper"
COMMANDS_DIRECTORY = "/usr/local/bin"
LIBRARY_DIRECTORY = "/usr/local/lib/pgha"
LIBRARY = f"{LIBRARY_DIRECTORY}/containers.sh"


def files(topology: Topology, node: Node) -> list[ManagedFile]:
    """The commands, what they share, and the facts of this cluster and node that they need."""
    return [
        _file(f"{cluster_directory(topology)}/cluster.env", environment(topology, node), 0o644),
        _file(LIBRARY, scripts.LIBRARY, 0o644),
        *(_file(f"{COMMANDS_DIRECTORY}/{name}", text, 0o755) for name, text in commands().items()),
    ]


def environment(topology: Topology, node: Node) -> str:
    """The content of cluster.env: assignments for sh, no secret among them."""
    endpoints = ",".join(etcd.voter_urls(topology))
    return (
        f"PGHA_ETCD_ENDPOINTS='{endpoints}'\n"
        f"PGHA_ETCD_MEMBER={'yes' if topology.runs(node, 'etcd') else 'no'}\n"
        f"PGHA_ETCD_IMAGE='{topology.images.etcd}'\n"
        f"PGHA_MEMBER_PORT={topology.member_port}\n"
        f"PGHA_CLIENT_IMAGE='{topology.images.patroni}'\n"
    )


def commands() -> dict[str, str]:
    """Command name -> shell script."""
    psql = scripts.PSQL.format(uid=POSTGRES, sockets=SOCKETS, superuser=SUPERUSER)
    return {
        "patronictl": _script(
            "Patroni's own tool, in this server's Patroni container.",
            scripts.PATRONICTL.format(directory=IN_CONTAINER),
        ),
        "etcdctl": _script(
            "etcd's own tool, asking all voters.",
            scripts.ETCDCTL.format(directory=IN_CONTAINER),
        ),
        "psql": _script("PostgreSQL's client, by default on this server's member.", psql),
        "pgha-logs": _script("The logs of a stack's containers on this server.", scripts.LOGS),
    }


def _script(purpose: str, body: str) -> str:
    return scripts.HEAD.format(purpose=purpose, library=LIBRARY) + body


def _file(path: str, content: str, mode: int) -> ManagedFile:
    return ManagedFile(path, content, mode, ROOT, ROOT, False, COMPONENT)
