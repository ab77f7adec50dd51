"""
This server's own etcd member: start it over with an empty data directory, as a member of the
living cluster or as a founder of a new one.

Loaded on every minion; the verbs are the steps of ``postgres.deploy``, ``postgres.recover_etcd``
and ``postgres.recover_survivors``. Nothing is deleted: an old data directory is renamed.
"""

from __future__ import annotations

try:
    from pgha.etcd import access
    from pgha.etcd.own import Own
    from pgha.node.docker import Docker
    from pgha_minion.call import asked
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "etcd_member"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def set_aside(cluster=None):
    """
    Stop this server's etcd and rename its data directory to ``data.<UTC time>``. Returns
    ``stopped`` (containers) and ``set_aside`` (the new path, None when there was no data).

    CLI Example:

    .. code-block:: bash

        salt builder.lan etcd_member.set_aside

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors(OSError):
        return _own(cluster).set_aside()


def found(voters, token, cluster=None):
    """
    Stop this server's etcd, set its data aside and get it ready to begin a new etcd cluster with
    the named voters; it is not started. Returns the same as ``set_aside``.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan etcd_member.found '[postgres-node-1]' coolify_postgres-2

    voters
        Names of the nodes that begin the cluster together.
    token
        The new cluster's token, the same for all of them and unlike that of any cluster before.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors(OSError):
        own = _own(cluster)
        return own.found([own.topology.node(voter).name for voter in voters], token)


def rejoin(cluster=None):
    """
    Stop this server's etcd, set its data aside, remove its old entry from the living cluster and
    announce it again; it is not started. Returns ``stopped``, ``set_aside``, ``removed`` (id of the
    old entry) and ``learner``. Fails without quorum.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan etcd_member.rejoin

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors(OSError):
        return _own(cluster).rejoin()


def joined(deadline=60, cluster=None):
    """
    Wait until this server's etcd serves as a member, promote it when it is to vote, and write
    etcd.yml as declared. Returns ``promoted`` and ``restored``.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan etcd_member.joined deadline=90

    deadline
        Seconds. Defaults to 60.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors(OSError):
        return _own(cluster).joined(deadline)


def restore(cluster=None):
    """
    Write etcd.yml as declared; returns False when it was.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan etcd_member.restore

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with operator_errors(OSError):
        return _own(cluster).restore()


def _own(cluster):
    topology, here = asked(__pillar__, __grains__["id"], cluster=cluster)
    return Own(topology, here, Docker(), lambda node: access.client_for(topology, node))
