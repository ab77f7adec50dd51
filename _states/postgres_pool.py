"""
The pool of a server, as it must be between operations.

.. code-block:: yaml

    No client of the pool is held:
      postgres_pool.resumed
"""

from __future__ import annotations

try:
    from pgha_minion.settle import Sentences, settle

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_pool"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if "postgres_pool.resume" not in __salt__:
        return False, "the execution module postgres_pool is not loaded"
    return __virtualname__


def resumed(name, cluster=None):
    """
    The pool is not paused. A switchover that was interrupted may have left it so; the deploy holds
    the cluster's lock, so nobody else is about to resume it.

    A server without a pool, as before its first deploy, is as it must be.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    said = Sentences(
        fine="No client is held.",
        would="The pool would have been resumed.",
        done="The pool was still paused by an interrupted run and was resumed.",
        left="The pool is paused again.",
    )

    def look():
        held = __salt__["postgres_pool.paused"](cluster=cluster)
        return {"pool": {"old": "paused", "new": "resumed"}} if held else {}

    def let_go():
        __salt__["postgres_pool.resume"](cluster=cluster)

    return settle(name, look, let_go, said, test=__opts__["test"])
