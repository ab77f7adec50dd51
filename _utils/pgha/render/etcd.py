"""etcd: configuration file and certificates of one member or client (etcd 3.5).

Option names: etcd 3.5 ``--help`` and its ``etcd.conf.yml.sample``. Unknown keys of that file are
ignored without a word, so the tests start a real etcd with it where one is installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pgha.render.entities import ManagedFile
from pgha.render.material import Secrets, ca_file, certificate_files
from pgha.render.places import CA, ETCD, ETCD_VOLUME, IN_CONTAINER, ROOT, config_directory
from pgha.topology import Node, Topology

COMPONENT = "etcd"
QUOTA_BYTES = 2 * 1024**3


def files(topology: Topology, node: Node, secrets: Secrets) -> list[ManagedFile]:
    """Everything in ``/etc/pgha/<cluster>/etcd``.

    ``server.*`` is etcd's own, also between peers. ``client.*`` is for tools on this server, run
    as root: the minion's modules and the ``etcdctl`` wrapper; a node without etcd has only these.
    """
    directory = config_directory(topology, COMPONENT)
    client = [
        ca_file(secrets, directory, COMPONENT),
        *certificate_files(secrets, "etcd-client", directory, "client", ROOT, COMPONENT),
    ]
    if not topology.runs(node, "etcd"):
        return client
    return [
        config_file(topology, node),
        *client,
        *certificate_files(secrets, "etcd-server", directory, "server", ETCD, COMPONENT),
    ]


def config_file(
    topology: Topology, node: Node, first_start: Mapping[str, str] | None = None
) -> ManagedFile:
    """etcd.yml as declared, or with other words for the first start with an empty directory.

    Args:
        first_start: ``initial-cluster`` and ``initial-cluster-state`` of this one start, as
            `joining` or `founding` give them.
    """
    content = {**config(topology, node), **(first_start or {})}
    text = yaml.safe_dump(content, sort_keys=False, width=1000)
    path = f"{config_directory(topology, COMPONENT)}/etcd.yml"
    return ManagedFile(path, text, 0o644, ROOT, ROOT, False, COMPONENT)


def joining(members: Mapping[str, str]) -> dict[str, str]:
    """The words for a member that was announced to a living cluster.

    Args:
        members: peer address of every member by name, the new one included; etcd compares them
            with the cluster's own list.
    """
    return {"initial-cluster": _as_text(members), "initial-cluster-state": "existing"}


def founding(topology: Topology, voters: Sequence[str], token: str) -> dict[str, str]:
    """The words for members that begin a new etcd cluster together, after another one was lost.

    Args:
        token: unlike any before. Cluster and member ids are made of it and the addresses: with
            the old token a member of the old cluster would pass for one of this, and Patroni,
            which remembers the cluster's id and Raft term, would call the young cluster stale.
    """
    members = {name: peer_url(topology, topology.node(name)) for name in voters}
    return {
        "initial-cluster": _as_text(members),
        "initial-cluster-token": token,
        "initial-cluster-state": "new",
    }


def config(topology: Topology, node: Node) -> dict[str, Any]:
    """The content of etcd.yml.

    ``initial-cluster`` and its state only count while the data directory is empty; they never
    change with the live membership, so that an unchanged pillar means an unchanged file.
    """
    return {
        "name": node.name,
        "data-dir": f"{ETCD_VOLUME}/data",
        **_urls(topology, node),
        "initial-cluster": initial_cluster(topology, node),
        "initial-cluster-token": topology.cluster,
        "initial-cluster-state": "new" if node.name in topology.voters else "existing",
        "client-transport-security": _mutual_tls(),
        "peer-transport-security": _mutual_tls(),
        "heartbeat-interval": 100,
        "election-timeout": 1000,
        "quota-backend-bytes": QUOTA_BYTES,
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1h",
        "experimental-initial-corrupt-check": True,
        "log-level": "warn",
    }


def initial_cluster(topology: Topology, node: Node) -> str:
    """The members that must exist when this one first starts, as ``name=url,...``.

    All voters start together and name each other. A joining learner must name exactly the members
    that the cluster then has: the voters, the learners before it, and itself (etcd checks the
    number and the peer addresses).
    """
    names = topology.voters
    if node.name in topology.learners:
        names += topology.learners[: topology.learners.index(node.name) + 1]
    return _as_text({name: peer_url(topology, topology.node(name)) for name in names})


def client_url(topology: Topology, node: Node) -> str:
    """Where a member answers clients."""
    return f"https://{node.url_host}:{topology.etcd_client_port}"


def peer_url(topology: Topology, node: Node) -> str:
    """Where a member answers other members."""
    return f"https://{node.url_host}:{topology.etcd_peer_port}"


def voter_urls(topology: Topology) -> list[str]:
    """The client addresses of all voters; a learner refuses requests, so clients get only these."""
    return [client_url(topology, topology.node(name)) for name in topology.voters]


def _as_text(members: Mapping[str, str]) -> str:
    return ",".join(f"{name}={url}" for name, url in members.items())


def _urls(topology: Topology, node: Node) -> dict[str, str]:
    local = f"https://127.0.0.1:{topology.etcd_client_port}"
    return {
        "listen-client-urls": f"{client_url(topology, node)},{local}",
        "advertise-client-urls": client_url(topology, node),
        "listen-peer-urls": peer_url(topology, node),
        "initial-advertise-peer-urls": peer_url(topology, node),
    }


def _mutual_tls() -> dict[str, Any]:
    return {
        "cert-file": f"{IN_CONTAINER}/server.crt",
        "key-file": f"{IN_CONTAINER}/server.key",
        "client-cert-auth": True,
        "trusted-ca-file": CA,
    }
