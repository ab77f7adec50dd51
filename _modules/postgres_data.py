"""
This server's copy of the database while nobody serves it: how far it goes, and stopping whoever
writes to it.

Loaded on every minion; the verbs are the steps of ``postgres.recover_etcd`` and
``postgres.recover_survivors``.
"""

from __future__ import annotations

try:
    from pgha.held import held_secrets
    from pgha.node import data, stopping
    from pgha.node import position as reading
    from pgha.node.docker import Docker
    from pgha.node.files import file_changes, write_file
    from pgha.render import patroni
    from pgha_minion.call import asked
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_data"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def position(cluster=None):
    """
    Return how far this server's data directory goes, None when there is none: ``system`` (the
    database's identifier), ``state``, ``timeline``, ``lsn`` (bytes, end of the last valid WAL
    record), ``last_commit`` and ``history``. PostgreSQL need not run; nothing is changed.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_data.position

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors(OSError):
        topology, _ = _here(cluster)
        if not data.initialised(topology)["postgresql"]:
            return None
        return reading.position(topology, Docker())


def use_voter(voter, cluster=None):
    """
    Write patroni.yml of this server so that Patroni asks the named etcd voter first when it starts,
    until the next deploy writes it as declared. Returns whether the file was changed.

    CLI Example:

    .. code-block:: bash

        salt builder.lan postgres_data.use_voter postgres-node-3

    voter
        Name or host of an etcd voter.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors(OSError):
        topology, node = _here(cluster)
        secrets = {"pgha": held_secrets(__pillar__, topology)}
        first = topology.node(voter).name
        changed = file_changes([patroni.config_file(topology, node, secrets, first)])
        for file, _ in changed:
            write_file(file)
        return bool(changed)


def stop(components="patroni", cluster=None):
    """
    Stop the containers of this server's stacks in Docker, without asking Coolify, and return their
    names. They stay stopped, also over a restart of the server, until a deploy or a recovery
    starts them.

    CLI Example:

    .. code-block:: bash

        salt app-server-2.lan postgres_data.stop patroni,etcd

    components
        Any of etcd, patroni, router, as a list or separated by commas. Defaults to patroni.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    wanted = components.split(",") if isinstance(components, str) else components
    with operator_errors(OSError):
        topology, node = _here(cluster)
        docker = Docker()
        return [
            name
            for component in wanted
            for name in stopping.stop_stack(topology, node, component, docker)
        ]


def _here(cluster):
    return asked(__pillar__, __grains__["id"], cluster=cluster)
