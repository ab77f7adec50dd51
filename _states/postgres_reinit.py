"""`salt-run state.orchestrate postgres.reinit`: build a replica anew from the leader's data."""

from __future__ import annotations

try:
    from pgha.operate.reinit import reinit
    from pgha_master.operation import run_operation

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_reinit"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if __opts__.get("__role") != "master":
        return False, "postgres.reinit runs on the Salt master, by salt-run"
    return __virtualname__


def reinitialized(name, node=None, confirm=None, cluster=None):
    """
    A replica has a new copy of the leader's data and streams on its timeline.

    name
        A sentence; not used.
    node
        Name or host of the replica.
    confirm
        Name of the cluster, to build the only healthy replica anew.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return run_operation(
        __opts__,
        __pillar__,
        name,
        cluster,
        "reinit",
        lambda operation: reinit(operation, node, confirm),
    )
