"""Patroni: the file of one member and the dynamic configuration that all members share (4.1).

Keys: Patroni documentation, "YAML Configuration Settings" and "Dynamic Configuration Settings".
"""

from __future__ import annotations

import math
from typing import Any

import yaml

from pgha.render import before_stop, etcd, keepalive
from pgha.render.accounts import REPLICATOR, RESTAPI_USER, REWIND, SUPERUSER
from pgha.render.entities import ManagedFile
from pgha.render.hba import hba_lines, ident_lines
from pgha.render.material import Secrets, ca_file, certificate_files, password
from pgha.render.places import (
    CA,
    IN_CONTAINER,
    POSTGRES,
    POSTGRES_DATA,
    ROOT,
    SOCKETS,
    config_directory,
)
from pgha.topology import Node, Topology

COMPONENT = "patroni"
NAMESPACE = "/service/"
"""Patroni's default: the cluster's keys in etcd are ``/service/<cluster>/...``."""

MEMBER_SLOTS_TTL = 24 * 3600
MAX_CONNECTIONS = 200


def files(topology: Topology, node: Node, secrets: Secrets) -> list[ManagedFile]:
    """Everything in ``/etc/pgha/<cluster>/patroni``, readable by the container's user."""
    directory = config_directory(topology, COMPONENT)
    return [
        # First: Patroni is told to read its configuration when all files are there.
        *_programs(directory),
        config_file(topology, node, secrets),
        ca_file(secrets, directory, COMPONENT),
        *certificate_files(secrets, "patroni", directory, "restapi", POSTGRES, COMPONENT),
        *certificate_files(secrets, "postgresql", directory, "postgresql", POSTGRES, COMPONENT),
        *certificate_files(secrets, "etcd-client", directory, "etcd-client", POSTGRES, COMPONENT),
    ]


def _programs(directory: str) -> list[ManagedFile]:
    programs = {before_stop.NAME: before_stop.SCRIPT}
    programs |= dict.fromkeys(keepalive.TOOLS, keepalive.SCRIPT)
    texts = {keepalive.SERVICE_FILE: (keepalive.SERVICES, 0o644)}
    texts |= {name: (script, 0o755) for name, script in programs.items()}
    return [
        ManagedFile(f"{directory}/{name}", text, mode, ROOT, ROOT, False, COMPONENT)
        for name, (text, mode) in texts.items()
    ]


def config_file(
    topology: Topology, node: Node, secrets: Secrets, first_voter: str | None = None
) -> ManagedFile:
    """patroni.yml; with ``first_voter`` another etcd voter than declared is asked first."""
    content = local_config(topology, node, secrets)
    if first_voter:
        content["etcd3"]["hosts"] = etcd_hosts(topology, node, first_voter)
    text = yaml.safe_dump(content, sort_keys=False, width=1000)
    path = f"{config_directory(topology, COMPONENT)}/patroni.yml"
    return ManagedFile(path, text, 0o600, POSTGRES, POSTGRES, True, COMPONENT)


def etcd_hosts(topology: Topology, node: Node, first_voter: str | None = None) -> list[str]:
    """The etcd voters as ``address:port``, beginning with the node's own.

    Patroni 4.1 asks only the first one for its version when it starts, and ends if that does not
    answer (`Etcd3Client.__init__` with ``use_proxies``). Were it the same on all servers, no
    Patroni could start anywhere while that one server is down. A node without a voter of its own
    begins with another one than its neighbour.
    """
    voters = topology.voters
    own = node.name if node.name in voters else _spread(topology, node)
    start = voters.index(first_voter or own)
    urls = etcd.voter_urls(topology)
    return [url.removeprefix("https://") for url in [*urls[start:], *urls[:start]]]


def _spread(topology: Topology, node: Node) -> str:
    # From the end: the first declared is the preferred primary, the server others look to most.
    others = [other.name for other in topology.nodes if other.name not in topology.voters]
    return topology.voters[-1 - others.index(node.name) % len(topology.voters)]


def dynamic_config(topology: Topology) -> dict[str, Any]:
    """What Patroni keeps in etcd for all members; times in seconds, sizes in bytes.

    - ``primary_start_timeout`` = ttl: a leader that cannot start its PostgreSQL again within the
      time a dead server would be given is replaced like one (Patroni's default is 300).
    - ``member_slots_ttl``: a server may be away for a day and catch up without a new copy, as long
      as ``max_slot_wal_keep_size`` holds the WAL; that limit keeps the leader's disk from filling.
    - ``max_wal_senders``, ``max_replication_slots``: room for adding nodes without a restart.
    """
    return {
        "ttl": topology.ttl,
        "loop_wait": topology.loop_wait,
        "retry_timeout": topology.retry_timeout,
        "maximum_lag_on_failover": topology.maximum_lag_on_failover,
        "primary_start_timeout": topology.ttl,
        "member_slots_ttl": MEMBER_SLOTS_TTL,
        "failsafe_mode": True,
        "synchronous_mode": synchronous_mode(topology),
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": parameters(topology),
        },
    }


def parameters(topology: Topology) -> dict[str, str | int | float]:
    """PostgreSQL's parameters for all members: our defaults, overridden by the pillar.

    ``hot_standby_feedback``: the leader keeps rows that a query on a replica still sees; without it
    a vacuum there ends a long dump here (docs/adr/0006).
    """
    room = replication_room(len(topology.nodes))
    ours: dict[str, Any] = {
        "max_connections": MAX_CONNECTIONS,
        "max_wal_senders": room,
        "max_replication_slots": room,
        "max_slot_wal_keep_size": "4GB",
        "hot_standby_feedback": "on",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_lock_waits": "on",
        "tcp_keepalives_idle": 60,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }
    return {name: _setting(value) for name, value in {**ours, **topology.parameters}.items()}


def replication_room(nodes: int) -> int:
    """How many connections and slots may follow one leader: in steps of 20, with 8 to spare.

    Changing it restarts every member, so it must not change with each new node. The spare ones are
    for base backups, tools, and what a returning member left behind.
    """
    return 20 * math.ceil((nodes + 8) / 20)


def synchronous_mode(topology: Topology) -> bool | str:
    """``off`` -> False, ``on`` -> True, ``quorum`` as it is (Patroni 4.0 and later)."""
    return {"off": False, "on": True}.get(topology.synchronous_mode, topology.synchronous_mode)


def local_config(topology: Topology, node: Node, secrets: Secrets) -> dict[str, Any]:
    """The content of patroni.yml; holds passwords.

    ``bootstrap`` counts only for a cluster that does not exist yet; later changes of the dynamic
    configuration go through Patroni's API.
    """
    return {
        "scope": topology.cluster,
        "namespace": NAMESPACE,
        "name": node.name,
        # A heartbeat line per member every loop_wait seconds would bury what happened.
        "log": {"level": "INFO", "deduplicate_heartbeat_logs": True},
        "restapi": _restapi(topology, node, secrets),
        "ctl": {"insecure": False, "cacert": CA},
        "etcd3": _etcd3(topology, node),
        "bootstrap": {"dcs": dynamic_config(topology), "initdb": _initdb()},
        "postgresql": _postgresql(topology, node, secrets),
        "watchdog": {"mode": "off"},
        "tags": {"nofailover": False, "noloadbalance": False, "clonefrom": False, "nosync": False},
    }


def _restapi(topology: Topology, node: Node, secrets: Secrets) -> dict[str, Any]:
    address = f"{node.url_host}:{topology.restapi_port}"
    return {
        "listen": address,
        "connect_address": address,
        "certfile": f"{IN_CONTAINER}/restapi.crt",
        "keyfile": f"{IN_CONTAINER}/restapi.key",
        "cafile": CA,
        "authentication": {"username": RESTAPI_USER, "password": password(secrets, "restapi")},
    }


def _etcd3(topology: Topology, node: Node) -> dict[str, Any]:
    return {
        "hosts": etcd_hosts(topology, node),
        "protocol": "https",
        # Without this Patroni asks etcd for its members and would also talk to learners, which
        # refuse; a change of the voters therefore needs a restart of Patroni.
        "use_proxies": True,
        "cacert": CA,
        "cert": f"{IN_CONTAINER}/etcd-client.crt",
        "key": f"{IN_CONTAINER}/etcd-client.key",
    }


def _initdb() -> list[str | dict[str, str]]:
    # C.UTF-8 sorts by code point and never changes with the C library, so that a newer image
    # cannot silently corrupt the indexes of text columns.
    return [
        {"encoding": "UTF8"},
        {"locale": "C.UTF-8"},
        {"auth-local": "peer"},
        {"auth-host": "scram-sha-256"},
        "data-checksums",
    ]


def _postgresql(topology: Topology, node: Node, secrets: Secrets) -> dict[str, Any]:
    return {
        "listen": f"{node.url_host},127.0.0.1:{topology.member_port}",
        "connect_address": f"{node.url_host}:{topology.member_port}",
        "use_unix_socket": True,
        "use_unix_socket_repl": True,
        "data_dir": POSTGRES_DATA,
        "bin_dir": f"/usr/lib/postgresql/{topology.version}/bin",
        "bin_name": keepalive.bin_name(),
        "before_stop": f"{IN_CONTAINER}/{before_stop.NAME}",
        "pgpass": "/tmp/pgpass",  # noqa: S108 - the container's own tmpfs
        "authentication": {
            "superuser": _login(SUPERUSER, password(secrets, "superuser")),
            "replication": _login(REPLICATOR, password(secrets, "replicator")),
            "rewind": _login(REWIND, password(secrets, "rewind")),
        },
        "basebackup": [{"checkpoint": "fast"}],
        # Throwing data away is a decision for a human: such a member is reported, then rebuilt.
        "remove_data_directory_on_rewind_failure": False,
        "remove_data_directory_on_diverged_timelines": False,
        "parameters": _local_parameters(),
        "pg_hba": hba_lines(topology, node),
        "pg_ident": ident_lines(),
    }


def _login(role: str, secret: str) -> dict[str, str]:
    return {
        "username": role,
        "password": secret,
        "sslmode": "verify-full",
        "sslrootcert": CA,
    }


def _local_parameters() -> dict[str, str]:
    return {
        "unix_socket_directories": SOCKETS,
        "password_encryption": "scram-sha-256",
        "ssl": "on",
        "ssl_cert_file": f"{IN_CONTAINER}/postgresql.crt",
        "ssl_key_file": f"{IN_CONTAINER}/postgresql.key",
        "ssl_ca_file": CA,
        "ssl_min_protocol_version": "TLSv1.2",
        "logging_collector": "off",
    }


def _setting(value: str | int | float | bool) -> str | int | float:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value
