"""
The etcd cluster below Patroni: its quorum, its members, and joining new ones.

Loaded on every minion. The cluster is the pillar (``postgresql_*``), the server is the node whose
``host`` is this minion's id; it must have etcd's client certificate under /etc/pgha. Nodes may be
named by name or host.
"""

from __future__ import annotations

try:
    from pgha.etcd import access, database, health, membership
    from pgha.topology import Topology
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "etcd_cluster"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def status(cluster=None):
    """
    Return whether this server's etcd (or, where none runs, its way to the voters) is healthy, the
    members, and how many voters may still fail.
    Every voter is asked for a read through the quorum, 2 seconds each and all at once. Never fails:
    ``error`` says what is wrong.

    CLI Example:

    .. code-block:: bash

        salt '*' etcd_cluster.status

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    with operator_errors():
        here = topology.node(__grains__["id"])
        return health.cluster_status(topology, here, _probes(topology))


def members(cluster=None):
    """
    Return every member with id (as etcdctl prints it), name, learner, peer and client addresses.

    CLI Example:

    .. code-block:: bash

        salt controller.lan etcd_cluster.members

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    with operator_errors():
        voter = health.any_healthy_voter(topology, _clients(topology))
        return [member.line() for member in voter.members()]


def wait_quorum(deadline=60, voters=None, cluster=None):
    """
    Wait until enough voters read through the quorum and return the names of those that do.

    CLI Example:

    .. code-block:: bash

        salt controller.lan etcd_cluster.wait_quorum deadline=90 voters=3

    deadline
        Seconds. Defaults to 60.
    voters
        How many voters must. Defaults to more than half of the declared ones.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    with operator_errors():
        return membership.wait_quorum(topology, _probes(topology), deadline, voters)


def member_changes(node, learner=True, cluster=None):
    """
    Return what adding a node would change, empty when it is a member already. Fails when its name
    or its address belongs to another member, when it is of the other kind, or without quorum.

    CLI Example:

    .. code-block:: bash

        salt controller.lan etcd_cluster.member_changes builder.lan

    node
        Name or host.
    learner
        Whether it should be a learner. Defaults to True.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    with operator_errors():
        plan = membership.plan_member(topology, topology.node(node), learner, _clients(topology))
        return plan.changes


def member_add(node, learner=True, cluster=None):
    """
    Announce a node that has not started yet, as a learner, and return its entry. Its etcd can join
    from then on.

    CLI Example:

    .. code-block:: bash

        salt controller.lan etcd_cluster.member_add builder.lan

    node
        Name or host.
    learner
        Add it as a learner, which does not count for the quorum. Defaults to True.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    with operator_errors():
        added = membership.add_member(topology, topology.node(node), learner, _clients(topology))
        return added.line()


def member_remove(node, cluster=None):
    """
    Take a node's member out of the cluster for ever and return its entry, None when there was none.
    Its data directory cannot join again.

    CLI Example:

    .. code-block:: bash

        salt controller.lan etcd_cluster.member_remove builder.lan

    node
        Name or host.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    with operator_errors():
        removed = membership.remove_member(topology, topology.node(node), _clients(topology))
        return removed.line() if removed else None


def forget_database(cluster=None):
    """
    Delete what Patroni keeps in etcd of this cluster, so that it can be initialised anew. Only for
    a cluster whose Patroni runs nowhere. Returns how many keys there were.

    CLI Example:

    .. code-block:: bash

        salt app-server-1.lan etcd_cluster.forget_database

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    with operator_errors():
        here = topology.node(__grains__["id"])
        return database.forget(access.client_for(topology, here), topology)


def _topology(cluster):
    with operator_errors():
        return Topology.from_pillar(__pillar__, cluster)


def _clients(topology):
    return lambda node: access.client_for(topology, node)


def _probes(topology):
    return lambda node: access.client_for(topology, node, timeout=health.PROBE_TIMEOUT_S)
