"""Where things lie on a server and in the containers, and as whom each process runs.

The numbers are part of the product: the images create the users with them (images/base/Dockerfile),
and files on the servers belong to them although the servers do not know the names.
"""

from __future__ import annotations

from pgha.topology import Topology

ROOT = 0
POSTGRES = 999
ETCD = 998
HAPROXY = 997
PGBOUNCER = 996
EXPORTER = 995
MONITORING = 994

CONFIG_ROOT = "/etc/pgha"
DATA_ROOT = "/var/lib/pgha"
IN_CONTAINER = "/etc/pgha"
"""Where each container finds its component's configuration directory."""

CA = f"{IN_CONTAINER}/ca.crt"
ETCD_VOLUME = "/var/lib/etcd"
POSTGRES_VOLUME = "/var/lib/postgresql"
POSTGRES_DATA = f"{POSTGRES_VOLUME}/data"
SOCKETS = "/var/run/postgresql"
CERTIFICATES = "/certificates"
DATA_ONLY_SEEN = "/volumes/data"
EXPORTER_STATUS = "/status"
"""Where the exporter sees the cluster's files, the data volume, and the stamps of backups."""

COOLIFY_NETWORK = "coolify"
"""The bridge network that Coolify's installer creates and puts deployed applications on."""


def cluster_directory(topology: Topology) -> str:
    """``/etc/pgha/<cluster>`` on the server."""
    return f"{CONFIG_ROOT}/{topology.cluster}"


def config_directory(topology: Topology, component: str) -> str:
    """``/etc/pgha/<cluster>/<component>``: the directory that a component's containers mount."""
    return f"{cluster_directory(topology)}/{component}"


def data_directory(topology: Topology, volume: str) -> str:
    """``/var/lib/pgha/<cluster>/<volume>``; the volumes are ``etcd``, ``postgresql``,
    ``exporter``."""
    return f"{DATA_ROOT}/{topology.cluster}/{volume}"


def pool_alias(topology: Topology) -> str:
    """The name under which HAProxy finds its own PgBouncer on the shared ``coolify`` network.

    The compose service name ``pgbouncer`` is an alias there too, but every other cluster on the
    server, and any application of that name, has it as well.
    """
    return f"pgbouncer.{topology.cluster}.internal"
