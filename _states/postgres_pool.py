"""
The pool of a server, as it must be between operations.

.. code-block:: yaml

    No client of the pool is held:
      postgres_pool.resumed
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

__virtualname__ = "postgres_pool"


def __virtual__():
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
    ret = {"name": name, "result": True, "changes": {}, "comment": "No client is held."}
    try:
        if not __salt__["postgres_pool.paused"](cluster=cluster):
            return ret
        ret["changes"] = {"pool": {"old": "paused", "new": "resumed"}}
        if __opts__["test"]:
            return {**ret, "result": None, "comment": "The pool would have been resumed."}
        __salt__["postgres_pool.resume"](cluster=cluster)
        if __salt__["postgres_pool.paused"](cluster=cluster):
            return {**ret, "result": False, "changes": {}, "comment": "The pool is paused again."}
    except CommandExecutionError as err:
        return {**ret, "result": False, "changes": {}, "comment": str(err)}
    return {**ret, "comment": "The pool was still paused by an interrupted run and was resumed."}
