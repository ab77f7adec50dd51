"""One server of a PostgreSQL cluster: what it is like, and how its running parts take new files.

Loaded on every minion. The configuration is the pillar (``postgresql_*``), the server is the
node whose ``host`` is this minion's id.
"""

from __future__ import annotations

import time

try:
    from pgha.held import held_password
    from pgha.model.clusters import clusters_of
    from pgha.node import aside as node_aside
    from pgha.node import exporter as node_exporter
    from pgha.node import facts as node_facts
    from pgha.node import files as node_files
    from pgha.node import replacing
    from pgha.node.docker import Docker
    from pgha.pg import route
    from pgha.render import exporter as rendered
    from pgha.render.compose import STACK_COMPONENTS, stack_name
    from pgha.topology import Topology
    from pgha_minion.call import asked
    from pgha_minion.errors import operator_errors

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


def clusters():
    """
    Return the names of the declared clusters that this server is a node of, in declared order.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.clusters
    """
    with operator_errors():
        return clusters_of(__pillar__, __grains__["id"])


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
    with operator_errors():
        topology, node = _here(cluster)
        return node_facts.gather(topology, node, Docker())


def stacks(cluster=None):
    """
    Return the cluster's stacks on this server with the state of each container, as Docker sees it.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.stacks
    """
    with operator_errors():
        topology, node = _here(cluster)
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
    with operator_errors():
        topology, node = _here(cluster)
        docker = Docker()
        running = _running(docker, topology, node, service)
        for container in running:
            docker.signal(container.name, SIGNALS[service])
        return [container.name for container in running]


def data(cluster=None):
    """
    Return whether this server has a data directory of the cluster and how many bytes it takes:
    ``{"present": bool, "bytes": int}``.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.data

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        return node_aside.look(Topology.from_pillar(__pillar__, cluster))


def set_data_aside(label, cluster=None):
    """
    Rename the data directory of a PostgreSQL that is stopped, and return its new path; None when
    there is none. Nothing is deleted.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan postgres_node.set_data_aside before-restore-20240101T000000Z

    label
        What to add to the name.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology, node = _here(cluster)
        found = node_facts.stacks_here(topology, node, Docker().containers())
        return node_aside.set_aside(topology, label, found)


def restart(component, cluster=None):
    """
    Restart the containers of a component's stack on this server, as they are; returns their names.
    For files that are read at a start only. Coolify keeps running what it ran.

    CLI Example:

    .. code-block:: bash

        salt builder.lan postgres_node.restart etcd

    component
        etcd, patroni or router.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology, node = _here(cluster)
        return replacing.restart(topology, node, component, Docker())


def wait_recreated(component, before=(), deadline=300, cluster=None):
    """
    Wait until every container of a component's stack on this server is a new one and runs;
    returns their ids.

    CLI Example:

    .. code-block:: bash

        salt builder.lan postgres_node.wait_recreated router

    component
        etcd, patroni or router.
    before
        Ids of the containers that are to be replaced. Defaults to none: any that run will do.
    deadline
        Seconds. Defaults to 300.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology, node = _here(cluster)
        return replacing.wait_recreated(topology, node, component, before, deadline, Docker())


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
    with operator_errors():
        topology, node = _here(cluster)
        return route.check(topology, node, _monitor_password(topology), deadline_s=timeout)


def prove(cluster=None, timeout=30, exporter=False):
    """
    Write a token through the service hostname from this server and read it on every replica.
    Fails with one sentence per path that did not work within the timeout.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_node.prove

    timeout
        Seconds for everything together. Defaults to 30.
    exporter
        Also wait for an answer of this server's exporter. Defaults to False.
    """
    with operator_errors():
        topology, node = _here(cluster)
        ends = time.monotonic() + timeout
        proof = route.prove(topology, node, _monitor_password(topology), deadline_s=timeout)
        if exporter:
            left = max(ends - time.monotonic(), 1.0)
            node_exporter.wait_healthy(node_exporter.endpoint(topology, node), deadline_s=left)
        return proof


def tell_backups(times, cluster=None):
    """
    Write down for this server's exporter when the cluster was last backed up and when a backup was
    last verified. The backup, its verification and the deploy call it; returns the file's path.

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_node.tell_backups '{"full": {"last_success": 1790000000}}'

    times
        ``{"full": {"last_success": Unix time, "last_verified": Unix time}}``; what never was is
        left out.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology, _ = _here(cluster)
        return node_files.put(rendered.backup_status(topology, times))


def _here(cluster):
    return asked(__pillar__, __grains__["id"], cluster=cluster)


def _monitor_password(topology):
    return held_password(__pillar__, topology, "monitor", __grains__["id"])


def _running(docker, topology, node, service):
    # By their whole names: another cluster's may begin with this one's.
    stacks = {node_facts.slug(stack_name(topology, node, part)) for part in STACK_COMPONENTS}
    return [
        container
        for container in docker.containers()
        if container.service == service and container.stack in stacks and container.is_running
    ]
