"""Who leads: the orchestrations postgres.switchover and postgres.failover, on the Salt master."""

from __future__ import annotations

try:
    from pgha.operate.failover import fail_over
    from pgha.operate.switchover import switch_over
    from pgha_master.operation import run_operation

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_switchover"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if __opts__.get("__role") != "master":
        return False, "the states of postgres.switchover run on the Salt master, by salt-run"
    return __virtualname__


def switched_over(name, target=None, force=False, pause_limit=5, cluster=None):
    """
    A node leads, every other one streams from it; clients of the pools have waited, not failed.

    name
        A sentence; not used.
    target
        Name or host. Defaults to the eligible replica with the smallest lag.
    force
        Go on although a pool cannot be held or clients hold transactions. Defaults to False.
    pause_limit
        Seconds that running transactions may take to end. Defaults to 5.
    cluster
        Name of the cluster. Defaults to the only one.
    """

    def action(operation):
        return switch_over(operation, target, force=_yes(force), pause_limit_s=float(pause_limit))

    return run_operation(__opts__, __pillar__, name, cluster, "switchover", action)


def failed_over(name, target=None, confirm=None, cluster=None):
    """
    A node leads although the old leader is dead; rows that it had not sent are lost.

    name
        A sentence; not used.
    target
        Name or host. Defaults to the survivor that has the most WAL.
    confirm
        The cluster's name, typed by the operator.
    cluster
        Name of the cluster. Defaults to the only one.
    """

    def action(operation):
        return fail_over(operation, target, confirm=confirm)

    return run_operation(__opts__, __pillar__, name, cluster, "failover", action)


def _yes(value):
    # From make everything is text.
    return str(value).lower() in ("1", "true", "yes", "on")
