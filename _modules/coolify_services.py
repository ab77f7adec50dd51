"""
Single services of the cluster's environment, by name. Verbs of the module ``coolify``.
"""

from __future__ import annotations

import json

try:
    from pgha.coolify import converge as converging
    from pgha.coolify import lookup
    from pgha.coolify.pace import Pace
    from pgha.coolify.starting import start_one
    from pgha_minion.coolify import connected

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "coolify"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def services(environment=None, cluster=None):
    """
    Return the services of an environment: uuid, name, status (Coolify's, up to minutes old),
    server, hash of the stored compose text (ours only), recreate_pending, containers.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.services
        salt controller.lan coolify.services staging

    environment
        Name of an environment in the cluster's project. Defaults to the cluster's own.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        found = lookup.find_environment(client, topology, environment)
        return [lookup.described_service(row) for row in found.services] if found else []


def service_put(name, server, compose, apply_changes=False, test=False, cluster=None):
    """
    Store a service of any name: created (and not started) when missing, changed when its compose
    text is another. Returns the same as ``converge``.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_put web builder.lan '{services: {web: {image: nginx}}}'

    name
        Name of the service.
    server
        Name, address or uuid of a server as Coolify knows it.
    compose
        Compose text, or the mapping it stands for. No secrets: Coolify stores it readable.
    apply_changes
        Recreate the containers when the text has changed. Defaults to False.
    test
        Only say what would be done. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        outcome = converging.store_one(
            client,
            topology,
            name=name,
            server=server,
            compose=compose if isinstance(compose, str) else json.dumps(compose),
            apply_changes=apply_changes,
            test=test,
        )
        return outcome.as_dict(client.requests)


def service_start(name, cluster=None):
    """
    Start a service that does not run; every container is recreated. Returns True once Coolify has
    queued it, which says nothing about its outcome.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_start coolify_postgres-postgres-node-1-etcd

    name
        Name of the service.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        start_one(client, lookup.need_service(client, topology, name).uuid, name)
        return True


def service_stop(name, cluster=None):
    """
    Stop a service without cleaning images up; containers get 30 seconds at most. Returns False
    when Coolify believes that it is stopped already.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_stop coolify_postgres-postgres-node-1-router

    name
        Name of the service.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        return client.stop_service(lookup.need_service(client, topology, name).uuid, name)


def service_restart(name, cluster=None):
    """
    Stop all containers of a service and start it again, without pulling images. Returns True once
    Coolify has queued it.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_restart coolify_postgres-postgres-node-1-router

    name
        Name of the service.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        client.restart_service(lookup.need_service(client, topology, name).uuid, name)
        return True


def service_delete(name, cluster=None):
    """
    Delete a service and wait until it is gone (2 minutes at most). Its containers are removed;
    images, volumes and directories bound from the server stay. Returns False when there was none.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_delete coolify_postgres-postgres-node-9-etcd

    name
        Name of the service.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        return lookup.delete_and_wait(client, topology, name, Pace())


def _coolify(cluster):
    return connected(__pillar__, __grains__["id"], cluster)
