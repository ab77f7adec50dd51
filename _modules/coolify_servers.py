"""
The servers that Coolify manages, and its nightly clean-up of unused images on each. Verbs of the
module ``coolify``.
"""

from __future__ import annotations

try:
    from pgha.coolify import cleanup as cleaning
    from pgha.coolify.ground import only_server
    from pgha.coolify.lookup import described_server
    from pgha_minion.coolify import connected

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "coolify"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def servers(cluster=None):
    """
    Return every server that Coolify manages: uuid, name, ip, reachable, usable, nightly_cleanup.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.servers

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, _):
        return [described_server(server) for server in client.servers()]


def cleanup(server, cluster=None):
    """
    Return whether Coolify's nightly clean-up of unused images is on for a server.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.cleanup app-server-1.lan

    server
        Name, address or uuid of a server as Coolify knows it.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, _):
        return client.docker_cleanup(only_server(client.servers(), server, client.url).uuid)


def cleanup_disable(server, cluster=None):
    """
    Switch Coolify's nightly clean-up of unused images off for a server. Returns True.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.cleanup_disable app-server-1.lan

    server
        Name, address or uuid of a server as Coolify knows it.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, _):
        client.disable_docker_cleanup(only_server(client.servers(), server, client.url).uuid)
        return True


def cleanup_disable_all(test=False, cluster=None):
    """
    Switch Coolify's nightly clean-up of unused images off for every server of the cluster that has
    it on. Returns ``changes``, ``advice`` and the number of ``requests``.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.cleanup_disable_all test=True

    test
        Only say what would be done. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        outcome = cleaning.switch_off_everywhere(client, topology, test=test)
        return outcome.as_dict(client.requests)


def _coolify(cluster):
    return connected(__pillar__, __grains__["id"], cluster)
