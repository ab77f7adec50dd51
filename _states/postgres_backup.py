"""Backups as orchestrations on the Salt master: take one, verify one.

``salt-run state.orchestrate postgres.backup`` and ``postgres.backup_verify``; the work is in
``pgha.backup``. Neither waits for, nor keeps anybody from, a deploy or a switchover.
"""

from __future__ import annotations

try:
    from pgha.backup.take import take_backup
    from pgha.backup.verify import verify_backup
    from pgha_master.operation import run_operation

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_backup"

KIND = "backup"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if __opts__.get("__role") != "master":
        return False, "backups are taken on the Salt master, by salt-run"
    return __virtualname__


def taken(name, format="sql", cluster=None):
    """
    A new backup is in the state directory, complete and described; old ones are let go.

    name
        A sentence; not used.
    format
        ``sql`` (one file) or ``directory`` (dumped and restored with several jobs).
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return run_operation(
        __opts__, __pillar__, name, cluster, "backup",
        lambda operation: take_backup(operation, format or "sql"), kind=KIND,
    )  # fmt: skip


def verified(name, backup=None, cluster=None):
    """
    A backup was restored into a throwaway PostgreSQL and compared with its manifest.

    name
        A sentence; not used.
    backup
        Name of the backup. Defaults to the newest.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return run_operation(
        __opts__, __pillar__, name, cluster, "verification of a backup",
        lambda operation: verify_backup(operation, backup), kind=KIND,
    )  # fmt: skip
