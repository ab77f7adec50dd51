"""When the cluster was last backed up, told to the exporter on the controller, which alerts on it.

Backups lie on the Salt master and the exporter reads a file of its own server, so every run that
makes or verifies one hands the times over; so does a deploy, for a server that was replaced.
"""

from __future__ import annotations

from collections.abc import Iterable

from pgha.backup.store import Backup
from pgha.deploy.fleet import Answer
from pgha.operate.operation import Operation
from pgha.topology import Topology

KIND = "full"
"""The exporter also knows diff and incr; a logical backup is always whole."""
TIMEOUT_S = 15

Times = dict[str, dict[str, float]]


def times(backups: Iterable[Backup]) -> Times:
    """``{"full": {"last_success": Unix time, "last_verified": Unix time}}``; what never was is
    left out."""
    good = [backup for backup in backups if backup.manifest]
    made = [b.manifest.finished.timestamp() for b in good if b.manifest]
    verified = [b.verified_at.timestamp() for b in good if b.verified_at]
    found = {"last_success": made, "last_verified": verified}
    return {KIND: {name: max(moments) for name, moments in found.items() if moments}}


def is_told(topology: Topology) -> bool:
    """Whether there is an exporter to tell: the controller may be no node of the cluster."""
    return topology.has_host(topology.coolify.controller)


def tell(operation: Operation, backups: Iterable[Backup]) -> list[str]:
    """Hand the times over; a sentence when that failed, which is no reason to fail a backup."""
    if not is_told(operation.topology):
        return []
    answer: Answer = operation.fleet.ask(
        [operation.controller],
        "postgres_node.tell_backups",
        times(backups),
        cluster=operation.topology.cluster,
        timeout_s=TIMEOUT_S,
    )[operation.controller]
    if answer.error is None and not answer.silent:
        return []
    why = "it did not answer" if answer.silent else str(answer.error).rstrip(".")
    return [
        f"The exporter on {operation.controller} was not told, so its alerts on the age of backups "
        f"do not know this one: {why}. The next deploy tells it."
    ]
