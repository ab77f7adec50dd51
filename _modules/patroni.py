"""
Patroni as seen from a server of the cluster: who leads, who follows, how far behind.

Loaded on every minion. The cluster is the pillar (``postgresql_*``), the server is the node whose
``host`` is this minion's id. Where a function takes ``node``, it may be the node's name or its
host, and defaults to this server. The other files that begin with ``patroni_`` add verbs to this
module: for the dynamic configuration, and those that change who leads or what a replica holds.
"""

from __future__ import annotations

import dataclasses

try:
    from pgha.held import held_password
    from pgha.operate.standing import node_standing
    from pgha.patroni import access, waits
    from pgha.patroni import status as brief
    from pgha_minion.call import asked
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "patroni"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def status(node=None, cluster=None):
    """
    Return what a node and its cluster are now: role, state, timeline, lag in bytes, leader,
    members, pending restart, paused. Takes at most 5 seconds and never fails: ``error`` says why
    something is unknown.

    CLI Example:

    .. code-block:: bash

        salt '*' patroni.status
        salt controller.lan patroni.status node=postgres-node-2

    node
        Name or host. Defaults to this server.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, asked = _asked(node, cluster)
    with operator_errors():
        return brief.node_status(topology, asked, access.client_for(topology, asked))


def members(cluster=None):
    """
    Return every member with name, host, role, state, timeline and lag in bytes, as this server's
    Patroni knows them.

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.members

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with operator_errors():
        found = access.client_for(topology, here).cluster().members
        return [brief.member_line(topology, member) for member in found]


def leader(cluster=None):
    """
    Return the name of the leader, None when there is none.

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.leader

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with operator_errors():
        found = access.client_for(topology, here).cluster().leader
        return found.name if found else None


def is_leader(node=None, cluster=None):
    """
    Return whether a node holds the leader key and takes writes, by its own word.

    CLI Example:

    .. code-block:: bash

        salt '*' patroni.is_leader

    node
        Name or host. Defaults to this server.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, asked = _asked(node, cluster)
    with operator_errors():
        return access.client_for(topology, asked).is_primary()


def history(cluster=None):
    """
    Return every change of the timeline: when, why, and who became leader.

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.history

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with operator_errors():
        lines = access.client_for(topology, here).history()
        return [dataclasses.asdict(line) for line in lines]


def standing(cluster=None):
    """
    Return what a change of the leader must know of this server: ``patroni.status`` with
    ``replicas`` (lag in bytes of each, as the leader measures it) and ``pool_paused``.

    CLI Example:

    .. code-block:: bash

        salt '*' patroni.standing

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with operator_errors():
        return node_standing(topology, here, {"monitor": _password(topology, "monitor")})


def wait_leader(deadline=60, cluster=None):
    """
    Wait until a member leads by its own word and return its name.

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.wait_leader deadline=120

    deadline
        Seconds. Defaults to 60.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with operator_errors():
        return waits.wait_leader(
            topology, here, lambda node: access.client_for(topology, node), deadline
        )


def wait_streaming(members=(), deadline=120, cluster=None):
    """
    Wait until members stream from the leader on its timeline and return all members.

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.wait_streaming '[postgres-node-2, builder.lan]'

    members
        Names or hosts. Defaults to every declared node.
    deadline
        Seconds. Defaults to 120.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with operator_errors():
        return waits.wait_streaming(
            topology, here, lambda node: access.client_for(topology, node), deadline, members
        )


def _asked(node, cluster):
    return asked(__pillar__, __grains__["id"], node, cluster)


def _password(topology, name):
    # Called before any thread starts: Salt's dunders are not there in threads.
    return held_password(__pillar__, topology, name, __grains__["id"])
