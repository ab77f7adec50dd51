"""
Roles and databases of the cluster, applied on the leader's server.

.. code-block:: yaml

    The roles of the cluster are as declared:
      postgres_db.roles_present

    The databases of the cluster are as declared:
      postgres_db.databases_present
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

__virtualname__ = "postgres_db"


def __virtual__():
    if "postgres_db.role_changes" not in __salt__:
        return False, "the execution module postgres_db is not loaded"
    return __virtualname__


def roles_present(name, cluster=None):
    """
    Every role of the cluster exists with its attributes, memberships and the password that is on
    the Salt master. ``changes`` says of a password only whether it is as declared.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _present(name, cluster, "roles", "postgres_db.role_changes", "postgres_db.apply_roles")


def databases_present(name, cluster=None):
    """
    The application's database belongs to its user and is closed to others; the heartbeat table and
    PgBouncer's lookup function are in the database postgres.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _present(
        name, cluster, "databases", "postgres_db.database_changes", "postgres_db.apply_databases"
    )


def _present(name, cluster, what, changes_of, apply):
    ret = {"name": name, "result": True, "changes": {}, "comment": f"The {what} are as declared."}
    try:
        changes = __salt__[changes_of](cluster=cluster)
        if not changes:
            return ret
        keys = ", ".join(sorted(changes))
        if __opts__["test"]:
            would = f"The {what} would have been changed: {keys}."
            return {**ret, "result": None, "changes": changes, "comment": would}
        ret["changes"] = __salt__[apply](cluster=cluster)
        left = __salt__[changes_of](cluster=cluster)
    except CommandExecutionError as err:
        return {**ret, "result": False, "comment": str(err)}
    if left:
        comment = f"After the change {', '.join(sorted(left))} still differ(s)."
        return {**ret, "result": False, "comment": comment}
    return {**ret, "comment": f"The {what} were changed: {keys}."}
