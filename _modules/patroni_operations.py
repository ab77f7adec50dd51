"""
What changes who leads, or what a replica holds. Verbs of the module ``patroni``; the orchestrations
``postgres.switchover``, ``postgres.failover`` and ``postgres.reinit`` call them.
"""

from __future__ import annotations

import dataclasses

try:
    from pgha.held import held_password
    from pgha.operate.handover import Limits, hand_over
    from pgha.operate.promote import promote
    from pgha.operate.reach import Reach
    from pgha.patroni import access, rebuild, reinit
    from pgha_minion.call import asked
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "patroni"
__func_alias__ = {"reinit_": "reinit"}


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def switchover(leader, target, force=False, pause_limit=5, cluster=None):
    """
    Hold the clients of all pools, have the leader hand over, let them go when every router leads to
    the new one. Returns ``old``, ``new``, ``timeline_before``, ``timeline_after``, ``held_ms``,
    ``phases`` (milliseconds) and ``errors``.

    The orchestration ``postgres.switchover`` calls this; it also judges who may lead, takes the
    cluster's lock and starts the guards that let clients go when this process dies.

    CLI Example:

    .. code-block:: bash

        salt builder.lan patroni.switchover postgres-node-1 target=app-server-2.lan

    leader
        Name or host of the node that leads now.
    target
        Name or host of the node that is to lead.
    force
        Go on although a pool cannot be held or transactions stay open. Defaults to False.
    pause_limit
        Seconds that running transactions may take to end. Defaults to 5.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, old = _asked(leader, cluster)
    _, new = _asked(target, cluster)
    with operator_errors():
        passwords = {
            name: _password(topology, name) for name in ("restapi", "monitor", "pgbouncer")
        }
        limits = Limits(pause_s=float(pause_limit), force=bool(force))
        return dataclasses.asdict(hand_over(Reach(topology, passwords), old, new, limits))


def failover(target, deadline=70, cluster=None):
    """
    Have Patroni promote a node because the leader is dead, and return the name of the node that
    leads then. Rows that the dead leader had not sent are lost; the orchestration
    ``postgres.failover`` asks before it calls this.

    CLI Example:

    .. code-block:: bash

        salt app-server-2.lan patroni.failover target=postgres-node-2

    target
        Name or host.
    deadline
        Seconds to wait for a leader. Defaults to 70.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, new = _asked(target, cluster)
    with operator_errors():
        client = access.client_for(topology, new, _password(topology, "restapi"))
        return promote(
            client, topology, new, lambda node: access.client_for(topology, node), deadline
        )


def reinit_(node=None, confirm=None, wait=True, test=False, cluster=None):
    """
    Throw a replica's data away and copy the leader's; refuses the leader, and the last healthy
    replica unless confirmed. Returns what the replica is like when it streams again.

    CLI Example:

    .. code-block:: bash

        salt app-server-2.lan patroni.reinit

    node
        Name or host. Defaults to this server; only there can be checked whether the copy fits.
    confirm
        Name of the cluster, to build the only healthy replica anew.
    wait
        Wait until it streams again. Defaults to True; ``patroni.reinit_progress`` shows how far
        it is.
    test
        Only say what would be done. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, asked = _asked(node, cluster)
    here = asked.host == __grains__["id"]
    with operator_errors():
        passwords = {name: _password(topology, name) for name in ("restapi", "monitor")}
        begun = rebuild.begin(topology, asked, passwords, here=here, confirm=confirm, test=test)
        if test or not wait:
            return begun.as_dict()
        return reinit.wait(
            lambda: rebuild.seen(topology, asked, passwords["monitor"]),
            reinit.Watch(begun.before),
            f"the copy of {begun.leader} on {asked.name}",
        )


def reinit_progress(node=None, cluster=None):
    """
    Return how far the copy of the leader on a replica is: state, copied and total bytes, whether
    the replica streams.

    CLI Example:

    .. code-block:: bash

        salt app-server-2.lan patroni.reinit_progress

    node
        Name or host. Defaults to this server.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, asked = _asked(node, cluster)
    with operator_errors():
        return rebuild.seen(topology, asked, _password(topology, "monitor"))


def _asked(node, cluster):
    return asked(__pillar__, __grains__["id"], node, cluster)


def _password(topology, name):
    # Called before any thread starts: Salt's dunders are not there in threads.
    return held_password(__pillar__, topology, name, __grains__["id"])
