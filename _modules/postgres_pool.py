"""
The pool of a server (PgBouncer) beside its router: is it paused, let its clients go on, and the
guard that does so when a switchover dies while it holds them.

Loaded on every minion. The cluster is the pillar (``postgresql_*``), the server is the node whose
``host`` is this minion's id.
"""

from __future__ import annotations

try:
    from pgha.held import held_password
    from pgha.pool import guard as guarding
    from pgha.pool.console import console_settings, pool_paused
    from pgha_minion.call import asked
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_pool"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def paused(cluster=None):
    """
    Return whether this server's pool holds its clients (``PAUSE`` of PgBouncer), None when there is
    no pool that answers.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_pool.paused

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology, node = _here(cluster)
        return pool_paused(topology, node, _password(topology, "monitor"))


def resume(cluster=None):
    """
    Let the clients of this server's pool go on; returns False when they were not held.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_pool.resume

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        return guarding.resume(_console(cluster))


def guard(cluster=None):
    """
    Start a process that lets the clients of this server's pool go when they have been held for
    longer than a switchover may last, whatever became of it. Returns its id; it ends by itself.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_pool.guard

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        return guarding.start(_console(cluster))


def _here(cluster):
    return asked(__pillar__, __grains__["id"], cluster=cluster)


def _console(cluster):
    topology, node = _here(cluster)
    return console_settings(topology, node, _password(topology, "pgbouncer"))


def _password(topology, name):
    return held_password(__pillar__, topology, name, __grains__["id"])
