"""Certificates and file systems of this node: the source ``files``."""

from __future__ import annotations

from pgha_exporter.names.metric import gauge

VOLUMES = ("data", "wal")

FILESYSTEM_AVAIL = gauge(
    "pgha_filesystem_avail_bytes",
    "Free space for PostgreSQL on the file system of the volume.",
    "member",
    "volume",
    volume=VOLUMES,
)
FILESYSTEM_SIZE = gauge(
    "pgha_filesystem_size_bytes",
    "Size of the file system of the volume.",
    "member",
    "volume",
    volume=VOLUMES,
)
CERTIFICATE_NOT_AFTER = gauge(
    "pgha_certificate_not_after_timestamp_seconds",
    "End of validity of a certificate of this node; use is the name of its file without suffix, or "
    "served-<port> for what a port on this node presents.",
    "member",
    "use",
)
