"""
Patroni as seen from a server of the cluster: who leads, who follows, how far behind, and the
dynamic configuration that all members share.

Loaded on every minion. The cluster is the pillar (``postgresql_*``), the server is the node whose
``host`` is this minion's id. Where a function takes ``node``, it may be the node's name or its
host, and defaults to this server.
"""

from __future__ import annotations

import dataclasses

try:
    from pgha.held import held_password
    from pgha.operate.handover import Limits, hand_over
    from pgha.operate.promote import promote
    from pgha.operate.reach import Reach
    from pgha.operate.standing import node_standing
    from pgha.patroni import access, dynamic, rebuild, reinit, rollout, waits
    from pgha.patroni import status as brief
    from pgha.pg import probe
    from pgha.pg.settings import member_settings
    from pgha.render import patroni as declared
    from pgha.render.accounts import MONITOR
    from pgha.topology import Topology
    from pgha_minion.errors import operator_errors as _operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "patroni"
__func_alias__ = {"reload_": "reload", "reinit_": "reinit"}


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
    with _operator_errors():
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
    with _operator_errors():
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
    with _operator_errors():
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
    with _operator_errors():
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
    with _operator_errors():
        lines = access.client_for(topology, here).history()
        return [dataclasses.asdict(line) for line in lines]


def config(cluster=None):
    """
    Return the dynamic configuration as it is in etcd.

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.config

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with _operator_errors():
        return access.client_for(topology, here).config()


def config_changes(cluster=None):
    """
    Return what differs between the dynamic configuration in etcd and the declared one, as
    ``{key: {old, new}}``; empty when nothing does.

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.config_changes

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with _operator_errors():
        client = access.client_for(topology, here)
        return dynamic.plan_config(client.config(), declared.dynamic_config(topology)).changes


def config_apply(cluster=None):
    """
    Bring the dynamic configuration to the declared one and return what was changed.

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.config_apply

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    with _operator_errors():
        client = access.client_for(topology, here, _password(topology, "restapi"))
        return dynamic.apply_config(client, declared.dynamic_config(topology)).changes


def config_rollout(changes=None, deadline=30, cluster=None):
    """
    Wait until every member runs with changed parameters or says that it must restart for them.

    Returns ``pending_restart`` ({member: {parameter: {old_value, new_value}}}), ``leader`` (its
    name), ``advice`` (what to run for them, or an empty text) and ``late`` (a sentence per member
    that is behind).

    CLI Example:

    .. code-block:: bash

        salt controller.lan patroni.config_rollout

    changes
        What was changed, as ``patroni.config_apply`` returned it. Without: do not wait.
    deadline
        Seconds. Defaults to 30.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, _ = _asked(None, cluster)
    with _operator_errors():
        password = _password(topology, "monitor") if changes else ""
        taken = rollout.wait_taken(
            topology,
            lambda node: access.client_for(topology, node),
            lambda node, names: _effective(topology, node, names, password),
            dynamic.changed_parameters(changes or {}),
            deadline,
        )
        return {
            "pending_restart": taken.reasons,
            "leader": taken.leader,
            "advice": rollout.restart_advice(topology, taken),
            "late": list(taken.late),
        }


def reload_(node=None, cluster=None):
    """
    Make a node's Patroni read its configuration file again; it does so within moments.

    CLI Example:

    .. code-block:: bash

        salt '*' patroni.reload

    node
        Name or host. Defaults to this server.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, asked = _asked(node, cluster)
    with _operator_errors():
        access.client_for(topology, asked, _password(topology, "restapi")).reload()
        return True


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
    with _operator_errors():
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
    with _operator_errors():
        return waits.wait_streaming(
            topology, here, lambda node: access.client_for(topology, node), deadline, members
        )


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
    with _operator_errors():
        return node_standing(topology, here, {"monitor": _password(topology, "monitor")})


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
    with _operator_errors():
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
    with _operator_errors():
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
    with _operator_errors():
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
    with _operator_errors():
        return rebuild.seen(topology, asked, _password(topology, "monitor"))


def _asked(node, cluster):
    """The topology and the node that a call is about."""
    with _operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        return topology, topology.node(node or __grains__["id"])


def _effective(topology, node, names, password):
    # The superuser may log in on its own server only; the monitor may ask every member.
    settings = member_settings(topology, node, MONITOR, password)
    return probe.effective_settings(settings, names)


def _password(topology, name):
    # Called before any thread starts: Salt's dunders are not there in threads.
    return held_password(__pillar__, topology, name, __grains__["id"])
