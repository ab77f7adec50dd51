"""
The dynamic configuration of a Patroni cluster, as declared by the pillar.

.. code-block:: yaml

    The dynamic configuration of Patroni is as declared:
      patroni.config_present
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

NEEDED = ("patroni.config_changes", "patroni.config_apply", "patroni.config_rollout")

__virtualname__ = "patroni"


def __virtual__():
    missing = [name for name in NEEDED if name not in __salt__]
    if missing:
        return False, "the execution module patroni is not loaded"
    return __virtualname__


def config_present(name, deadline=30, cluster=None):
    """
    The configuration that all members share is as declared, and every member has taken it or is
    named with the restart that it needs.

    Below ``postgresql.parameters`` whatever is not declared is removed; elsewhere only declared
    keys are compared. ``16MB`` and ``16384kB`` are the same.

    name
        A sentence; not used.
    deadline
        Seconds to wait for the members after a change. Defaults to 30.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    try:
        changes = __salt__["patroni.config_changes"](cluster=cluster)
        if changes and not __opts__["test"]:
            ret["changes"] = __salt__["patroni.config_apply"](cluster=cluster)
            left = __salt__["patroni.config_changes"](cluster=cluster)
            if left:
                return _failed(ret, f"After the change {', '.join(sorted(left))} still differ(s).")
        taken = __salt__["patroni.config_rollout"](
            changes=ret["changes"], deadline=deadline, cluster=cluster
        )
    except CommandExecutionError as err:
        return _failed(ret, str(err))
    if changes and __opts__["test"]:
        ret.update(result=None, changes=changes)
    ret["comment"] = _told(changes, taken, "would have been" if __opts__["test"] else "was")
    return ret


def _told(changes, taken, verb):
    if changes:
        said = f"The dynamic configuration {verb} changed: {', '.join(sorted(changes))}."
    else:
        said = "The dynamic configuration is as declared."
    return " ".join(filter(None, [said, taken["advice"], *taken["late"]]))


def _failed(ret, comment):
    # Changes stay: what was written before the failure has happened.
    return {**ret, "result": False, "comment": comment}
