"""Backups, on the controller only."""

from __future__ import annotations

from pgha_exporter.names.metric import gauge

BACKUP_KINDS = ("full", "diff", "incr")

BACKUP_LAST_SUCCESS = gauge(
    "pgha_backup_last_success_timestamp_seconds",
    "When the last good backup of the kind ended; 0 for never.",
    "kind",
    kind=BACKUP_KINDS,
)
BACKUP_LAST_VERIFIED = gauge(
    "pgha_backup_last_verified_timestamp_seconds",
    "When a backup of the kind was last restored as a test; 0 for never.",
    "kind",
    kind=BACKUP_KINDS,
)
