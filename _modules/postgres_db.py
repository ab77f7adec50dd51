"""
Roles and databases of the cluster. Everything that writes runs on the leader's server, as the
superuser, over TLS to the server's own address.

The cluster is the pillar (``postgresql_*``); passwords and verifiers come from the Salt master's
secrets (``pgha`` in the pillar) and are never returned.
"""

from __future__ import annotations

try:
    from pgha.held import held_password, held_verifier
    from pgha.node import announcement
    from pgha.pg import converge, probe
    from pgha.pg.databases import DatabaseSpec
    from pgha.pg.roles import declared_roles
    from pgha.pg.settings import member_settings
    from pgha.render.accounts import MONITOR, SUPERUSER
    from pgha.topology import Topology
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_db"

APPLY_TIMEOUT_S = 30.0
"""CREATE DATABASE copies a template and waits for a checkpoint."""


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def facts(node=None, cluster=None):
    """
    Return what a node's PostgreSQL says of itself: in_recovery, version, postmaster_start_time,
    server_ip, lsn.

    CLI Example:

    .. code-block:: bash

        salt '*' postgres_db.facts

    node
        Name or host. Defaults to this server.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        asked = topology.node(node or __grains__["id"])
        settings = member_settings(topology, asked, MONITOR, _password(topology, "monitor"))
        return probe.server_facts(settings)


def converged(cluster=None):
    """
    Return what differs between the declared roles and databases and the real ones; empty when
    nothing does. Verifiers are compared and never returned.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan postgres_db.converged

    cluster
        Name of the cluster. Defaults to the only one.
    """
    return {**role_changes(cluster), **database_changes(cluster)}


def role_changes(cluster=None):
    """
    Return what differs between the declared roles and the real ones, as ``{role: {old, new}}``.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan postgres_db.role_changes

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        return converge.plan_roles(_leader(topology), _roles(topology))


def apply_roles(cluster=None):
    """
    Create and repair the roles, passwords included, and return what was changed.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan postgres_db.apply_roles

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        return converge.apply_roles(_leader(topology), _roles(topology))


def database_changes(cluster=None):
    """
    Return what differs between the declared databases and the real ones: the application's, the
    heartbeat table, PgBouncer's lookup function.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan postgres_db.database_changes

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        return converge.plan_databases(_leader(topology), _database(topology))


def apply_databases(cluster=None):
    """
    Create and repair the databases and what they hold, and return what was changed.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan postgres_db.apply_databases

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        return converge.apply_databases(_leader(topology), _database(topology))


def checkpoint(timeout=300, announce=0, cluster=None):
    """
    Have this server's PostgreSQL write all changed pages to disk and return the seconds it took.
    Its shutdown is short right after that.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan postgres_db.checkpoint timeout=60

    timeout
        Seconds. Defaults to 300.
    announce
        Seconds within which a switchover follows, whose stop of PostgreSQL is to be quick.
        Defaults to 0: none does.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        seconds = probe.checkpoint(_leader(topology, float(timeout)))
        if announce:
            announcement.announce(topology, float(announce))
        return seconds


def _leader(topology, timeout=APPLY_TIMEOUT_S):
    """This server's PostgreSQL as superuser; it must be the leader's."""
    return member_settings(
        topology,
        topology.node(__grains__["id"]),
        SUPERUSER,
        _password(topology, "superuser"),
        timeout_s=timeout,
    )


def _roles(topology):
    names = ("superuser", "replicator", "rewind", "monitor", "pgbouncer", "app")
    here = __grains__["id"]
    return declared_roles(
        topology, {name: held_verifier(__pillar__, topology, name, here) for name in names}
    )


def _database(topology):
    return DatabaseSpec(topology.app_database, topology.app_user)


def _password(topology, name):
    return held_password(__pillar__, topology, name, __grains__["id"])
