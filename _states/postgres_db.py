"""
Roles and databases of the cluster, applied on the leader's server.

.. code-block:: yaml

    The roles of the cluster are as declared:
      postgres_db.roles_present

    The databases of the cluster are as declared:
      postgres_db.databases_present
"""

from __future__ import annotations

try:
    from pgha_minion.settle import Sentences, settle

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_db"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
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
    said = Sentences(
        fine=f"The {what} are as declared.",
        would=f"The {what} would have been changed: {{keys}}.",
        done=f"The {what} were changed: {{keys}}.",
        left="After the change {keys} still differ(s).",
    )
    return settle(
        name,
        lambda: __salt__[changes_of](cluster=cluster),
        lambda: __salt__[apply](cluster=cluster),
        said,
        test=__opts__["test"],
    )
