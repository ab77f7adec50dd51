"""
Members of the etcd cluster below Patroni.

.. code-block:: yaml

    postgres-node-4:
      etcd_cluster.member_present:
        - learner: true
"""

from __future__ import annotations

try:
    from pgha_minion.settle import Sentences, settle

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "etcd_cluster"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
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
    wanted = {"learner": learner, "cluster": cluster}
    said = Sentences(
        fine=f"{name} is a member of etcd.",
        would=f"{name} would have been announced to etcd.",
        done=f"{name} was announced to etcd and can join.",
        left=f"etcd accepted {name} and does not list it; see `pgha-logs etcd` on the voters.",
    )
    return settle(
        name,
        lambda: __salt__["etcd_cluster.member_changes"](name, **wanted),
        lambda: __salt__["etcd_cluster.member_add"](name, **wanted),
        said,
        test=__opts__["test"],
    )
