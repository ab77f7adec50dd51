"""Recoveries after a loss that no failover mends, run on the Salt master by `salt-run`.

The work is in ``pgha.recover``; docs/recovery.md tells which one is whose.
"""

from __future__ import annotations

try:
    from pgha.recover import operations
    from pgha_master.operation import run_operation

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_recover"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if __opts__.get("__role") != "master":
        return False, "the recoveries run on the Salt master, by salt-run"
    return __virtualname__


def etcd_begun_anew(name, confirm=None, cluster=None):
    """
    etcd has lost its data and PostgreSQL has not: a new etcd runs and the leader of before leads.

    name
        A sentence; not used.
    confirm
        The cluster's name, typed by whoever answers for it.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return run_operation(
        __opts__, __pillar__, name, cluster, "recovery of etcd",
        lambda operation: operations.recover_etcd(operation, confirm),
    )  # fmt: skip


def survivors_serve(name, lost=(), confirm=None, cluster=None):
    """
    Servers are gone for good: the most advanced copy that is left leads, the others follow it.

    name
        A sentence; not used.
    lost
        Nodes that are given up, by name or host, as a list or separated by commas.
    confirm
        The cluster's name, typed by whoever answers for it.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    given_up = lost.split(",") if isinstance(lost, str) else list(lost or ())
    given_up = [word.strip() for word in given_up if word.strip()]
    return run_operation(
        __opts__, __pillar__, name, cluster, "recovery of the survivors",
        lambda operation: operations.recover_survivors(operation, given_up, confirm),
    )  # fmt: skip
