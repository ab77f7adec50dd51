"""
Patroni's configuration: what all members share in etcd, and each member's file. Verbs of the module
``patroni``.
"""

from __future__ import annotations

try:
    from pgha.held import held_password
    from pgha.patroni import access, dynamic, rollout
    from pgha.pg import probe
    from pgha.pg.settings import member_settings
    from pgha.render import patroni as declared
    from pgha.render.accounts import MONITOR
    from pgha_minion.call import asked
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "patroni"
__func_alias__ = {"reload_": "reload"}


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


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
    with operator_errors():
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
    with operator_errors():
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
    with operator_errors():
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
    with operator_errors():
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
    with operator_errors():
        access.client_for(topology, asked, _password(topology, "restapi")).reload()
        return True


def _asked(node, cluster):
    return asked(__pillar__, __grains__["id"], node, cluster)


def _effective(topology, node, names, password):
    # The superuser may log in on its own server only; the monitor may ask every member.
    settings = member_settings(topology, node, MONITOR, password)
    return probe.effective_settings(settings, names)


def _password(topology, name):
    # Called before any thread starts: Salt's dunders are not there in threads.
    return held_password(__pillar__, topology, name, __grains__["id"])
