"""
What a rolling change asks of one server: what would change there and what waits for a restart,
restart its PostgreSQL, wait until it serves again.

Loaded on every minion. The cluster is the pillar (``postgresql_*``), the server is the node whose
``host`` is this minion's id. Where a function takes ``node``, it may be the node's name or its
host, and defaults to this server.
"""

from __future__ import annotations

try:
    from pgha.held import held_password, held_secrets
    from pgha.operate.reach import Reach
    from pgha.patroni import access, gate
    from pgha.patroni import outlook as looking_ahead
    from pgha.patroni.restart import restart_pending
    from pgha.pg import probe
    from pgha.pg.settings import member_settings
    from pgha.render import patroni as declared
    from pgha.render.accounts import MONITOR
    from pgha.roll.in_place import restart_leader
    from pgha_minion.call import asked
    from pgha_minion.errors import operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_roll"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def outlook(cluster=None):
    """
    Return what a deploy would change in the dynamic configuration (``changes``, with the context
    that PostgreSQL gives each parameter), what this server's PostgreSQL must restart for
    (``pending``) and who leads. Never fails: ``error`` says why something is unknown.

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_roll.outlook

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, here = _asked(None, cluster)
    # Before the first deploy there is no password, and no PostgreSQL to ask either.
    monitor = (held_secrets(__pillar__, topology).get("passwords") or {}).get("monitor", "")
    with operator_errors():
        return looking_ahead.outlook(
            topology,
            here,
            access.client_for(topology, here),
            declared.dynamic_config(topology),
            lambda node, names: probe.setting_contexts(
                member_settings(topology, node, MONITOR, monitor), names
            ),
        )


def restart(node=None, deadline=120, hold=False, cluster=None):
    """
    Restart PostgreSQL on a node that waits for a restart, and wait until it leads or streams as
    before. Returns what it is like then, None when it does not wait for a restart.

    CLI Example:

    .. code-block:: bash

        salt builder.lan postgres_roll.restart

    node
        Name or host. Defaults to this server.
    deadline
        Seconds. Defaults to 120.
    hold
        The node leads: hold the clients of all pools meanwhile, and return for how long
        (``held_ms``). Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, asked = _asked(node, cluster)
    with operator_errors():
        if hold:
            passwords = {
                name: _password(topology, name) for name in ("restapi", "monitor", "pgbouncer")
            }
            return restart_leader(Reach(topology, passwords), asked)
        password = _password(topology, "restapi")
        return restart_pending(
            topology, asked, lambda each: access.client_for(topology, each, password), deadline
        )


def wait_ready(node=None, deadline=120, cluster=None):
    """
    Wait until a node leads and takes writes, or streams on its leader's timeline without lag.

    CLI Example:

    .. code-block:: bash

        salt builder.lan postgres_roll.wait_ready

    node
        Name or host. Defaults to this server.
    deadline
        Seconds. Defaults to 120.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology, asked = _asked(node, cluster)
    with operator_errors():
        return gate.wait_ready(
            topology, asked, lambda each: access.client_for(topology, each), deadline
        )


def _asked(node, cluster):
    return asked(__pillar__, __grains__["id"], node, cluster)


def _password(topology, name):
    return held_password(__pillar__, topology, name, __grains__["id"])
