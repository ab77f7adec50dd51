"""
Members of the etcd cluster below Patroni.

.. code-block:: yaml

    postgres-node-4:
      etcd_cluster.member_present:
        - learner: true
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

__virtualname__ = "etcd_cluster"


def __virtual__():
    if "etcd_cluster.member_changes" not in __salt__:
        return False, "the execution module etcd_cluster is not loaded"
    return __virtualname__


def member_present(name, learner=True, cluster=None):
    """
    A node is announced to etcd, so that it can join. Removes nothing: a member of that name at
    another address, or of the other kind, is an error that says what to do.

    name
        Name or host of the node.
    learner
        Whether it is a learner, which does not count for the quorum. Defaults to True.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": f"{name} is a member of etcd."}
    wanted = {"learner": learner, "cluster": cluster}
    try:
        changes = __salt__["etcd_cluster.member_changes"](name, **wanted)
        if not changes:
            return ret
        if __opts__["test"]:
            would = f"{name} would have been announced to etcd."
            return {**ret, "result": None, "changes": changes, "comment": would}
        __salt__["etcd_cluster.member_add"](name, **wanted)
        ret["changes"] = changes
        left = __salt__["etcd_cluster.member_changes"](name, **wanted)
    except CommandExecutionError as err:
        return {**ret, "result": False, "comment": str(err)}
    if left:
        comment = f"etcd accepted {name} and does not list it; see `pgha-logs etcd` on the voters."
        return {**ret, "result": False, "comment": comment}
    return {**ret, "comment": f"{name} was announced to etcd and can join."}
