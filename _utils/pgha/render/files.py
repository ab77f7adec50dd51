"""All files and directories of one server, and what a changed file asks for.

The same topology, node and secrets always give the same list; nothing is read or written here.
"""

from __future__ import annotations

from pgha.render import etcd, exporter, patroni, restapi, router, wrappers
from pgha.render.entities import ManagedDirectory, ManagedFile
from pgha.render.material import Secrets, ca_file
from pgha.render.places import (
    CONFIG_ROOT,
    DATA_ROOT,
    ETCD,
    POSTGRES,
    ROOT,
    cluster_directory,
    config_directory,
    data_directory,
)
from pgha.topology import Node, Topology

__all__ = [
    "ManagedDirectory",
    "ManagedFile",
    "directories_for",
    "files_for",
    "reload_action",
    "reload_targets",
]

CA_COMPONENT = "ca"
CONFIG_COMPONENTS = ("etcd", "patroni", "restapi", "router", "exporter")

_PATRONI = ("patroni", "HUP")
_RESTAPI = ("restapi", "USR2")
_HAPROXY = ("haproxy", "USR2")
_PGBOUNCER = ("pgbouncer", "HUP")
_EXPORTER = ("exporter", "HUP")


def files_for(topology: Topology, node: Node, secrets: Secrets) -> list[ManagedFile]:
    """Every file of a node's server.

    Args:
        secrets: what `pgha.roles.secrets_for` hands to this node, under the key ``pgha``.

    Raises:
        NotFoundError: something is missing in the secrets.
    """
    return [
        ca_file(secrets, cluster_directory(topology), CA_COMPONENT),
        *etcd.files(topology, node, secrets),
        *patroni.files(topology, node, secrets),
        *restapi.files(topology, node, secrets),
        *router.files(topology, node, secrets),
        *exporter.files(topology, node, secrets),
        *wrappers.files(topology, node),
    ]


def directories_for(topology: Topology, node: Node) -> list[ManagedDirectory]:
    """Every directory of a node's server, parents first.

    Configuration directories are open, the secrets in them are not. Data directories belong to
    the process that writes them.
    """
    etcd_data = ManagedDirectory(data_directory(topology, "etcd"), 0o700, ETCD, ETCD)
    return [
        _open(CONFIG_ROOT),
        _open(cluster_directory(topology)),
        *(_open(config_directory(topology, component)) for component in CONFIG_COMPONENTS),
        _open(DATA_ROOT),
        _open(f"{DATA_ROOT}/{topology.cluster}"),
        *([etcd_data] if topology.runs(node, "etcd") else []),
        ManagedDirectory(data_directory(topology, "postgresql"), 0o700, POSTGRES, POSTGRES),
        _open(data_directory(topology, "exporter")),
        _open(wrappers.LIBRARY_DIRECTORY),
    ]


def reload_action(component: str, path: str) -> str:
    """What a changed file asks for: ``"none"``, ``"reload"`` (signals) or ``"restart"``.

    etcd reads its certificates again at each connection, but its configuration and the CA only at
    its start. Patroni reads a changed list of etcd voters only at its start, too, although its
    other settings are reloaded.
    """
    if component == "etcd":
        return "restart" if path.endswith(("/etcd.yml", "/ca.crt")) else "none"
    return "reload" if reload_targets(component, path) else "none"


def reload_targets(component: str, path: str) -> tuple[tuple[str, str], ...]:
    """The containers that must be told about a changed file, as (service key, signal).

    Signals: patroni(1); HAProxy's management guide, 4, master-worker mode; pgbouncer(1). The
    exporter starts itself anew.
    """
    if component == "router":
        return _router_targets(path)
    alone = {"patroni": (_PATRONI,), "restapi": (_RESTAPI,), "exporter": (_EXPORTER,)}
    return alone.get(component, ())


def _router_targets(path: str) -> tuple[tuple[str, str], ...]:
    if path.endswith("/ca.crt"):
        return (_HAPROXY, _PGBOUNCER)
    return (_HAPROXY,) if path.endswith("/haproxy.cfg") else (_PGBOUNCER,)


def _open(path: str) -> ManagedDirectory:
    return ManagedDirectory(path, 0o755, ROOT, ROOT)
