"""One server of a PostgreSQL cluster: what it is like, and how its running parts take new files.

Loaded on every minion. The configuration is the pillar (``postgresql_*``), the server is the
node whose ``host`` is this minion's id.
"""

from __future__ import annotations

import time

from salt.exceptions import CommandExecutionError

try:
    from pgha.errors import PghaError
    from pgha.node import facts as node_facts
    from pgha.node.docker import Docker
    from pgha.pg import route
    from pgha.topology import Topology

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_node"

SIGNALS = {
    "patroni": "HUP",
    "haproxy": "USR2",
    "restapi": "USR2",
    "pgbouncer": "HUP",
    "exporter": "HUP",
}
"""patroni(1); HAProxy's management guide, 4, master-worker mode; pgbouncer(1); ours begins anew."""


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def clock():
    """
    Return this server's clock in seconds since the epoch.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.clock
    """
    return time.time()


def facts(cluster=None):
    """
    Return what a deploy must know of this server before it touches it: Docker, containers of
    the cluster's stacks, images, taken ports, networks, free disk.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.facts

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        return node_facts.gather(topology, topology.node(__grains__["id"]), Docker())


def stacks(cluster=None):
    """
    Return the cluster's stacks on this server with the state of each container, as Docker sees it.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.stacks
    """
    with _operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        node = topology.node(__grains__["id"])
        return node_facts.stacks_here(topology, node, Docker().containers())


def reload(service, cluster=None):
    """
    Make a running service read its files again; returns the containers that were told.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.reload haproxy

    service
        patroni, restapi, haproxy, pgbouncer or exporter.
    """
    with _operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        topology.node(__grains__["id"])
        docker = Docker()
        running = _running(docker, topology, service)
        for container in running:
            docker.signal(container.name, SIGNALS[service])
        return [container.name for container in running]


def routes(cluster=None, timeout=10):
    """
    Check from this server what an application sees: a write through the hostname, a read from
    the read-only port, a query through the pool.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.routes

    timeout
        Seconds for all three together. Defaults to 10.
    """
    with _operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        node = topology.node(__grains__["id"])
        return route.check(topology, node, _monitor_password(), deadline_s=timeout)


def prove(cluster=None, timeout=30):
    """
    Write a token through the service hostname from this server and read it on every replica.
    Fails with one sentence per path that did not work within the timeout.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.prove

    timeout
        Seconds for everything together. Defaults to 30.
    """
    with _operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        node = topology.node(__grains__["id"])
        return route.prove(topology, node, _monitor_password(), deadline_s=timeout)


def _monitor_password():
    passwords = (__pillar__.get("pgha") or {}).get("passwords") or {}
    if "monitor" not in passwords:
        raise CommandExecutionError(
            f"{__grains__['id']} has no secrets in its pillar; run the deploy from the Salt "
            "master, which generates them, or check ext_pillar there"
        )
    return passwords["monitor"]


def _running(docker, topology, service):
    prefix = node_facts.slug(f"{topology.cluster}-")
    return [
        container
        for container in docker.containers()
        if container.service == service
        and container.stack.startswith(prefix)
        and container.is_running
    ]


class _operator_errors:  # noqa: N801 - used like the context managers of contextlib
    """Turn the library's errors into Salt's, with the sentence and without a traceback."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, PghaError):
            raise CommandExecutionError(str(error)) from error
        return False
