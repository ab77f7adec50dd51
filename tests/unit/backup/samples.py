"""Backups without a PostgreSQL: files as they lie in the folder."""

from __future__ import annotations

import gzip
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pgha.backup import manifest as manifests
from pgha.backup import marks
from pgha.backup.gzipped import sha256_of
from pgha.backup.manifest import DatabasePart, Manifest

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=timezone.utc)

FOREIGN = b"""--
-- PostgreSQL database cluster dump
--

CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER PASSWORD 'SCRAM-SHA-256$from-elsewhere';
CREATE ROLE shop;

\\connect template1

--
-- PostgreSQL database dump
--

-- Dumped from database version 16.4 (Debian 16.4-1.pgdg120+1)

--
-- PostgreSQL database dump complete
--

--
-- PostgreSQL database cluster dump complete
--

"""


def ours() -> bytes:
    """The text of a backup that this product made."""
    head = marks.header("coolify_postgres", "2026-11-24T05:00:00+00:00")
    return head + FOREIGN + marks.footer()


def put_gzip(path: Path, text: bytes) -> Path:
    path.write_bytes(gzip.compress(text, mtime=0))
    return path


def described(path: Path, **changes: Any) -> Manifest:
    """The manifest of a file that exists."""
    values: dict[str, Any] = {
        "cluster": "coolify_postgres",
        "name": path.name,
        "format": "sql",
        "started_at": "2026-11-24T05:00:00+00:00",
        "finished_at": "2026-11-24T05:00:10+00:00",
        "duration_s": 10.0,
        "postgresql_version": "16.14",
        "source": {"node": "postgres-node-2", "host": "app-server-2.lan", "role": "replica"},
        "databases": {"application": DatabasePart(1000, "0/1", {"public.t": 3})},
        "sha256": {path.name: sha256_of(path)},
        "size_bytes": path.stat().st_size,
        "raw_bytes": 1000,
        "compression": "gzip -6",
        "tools": {},
    }
    return Manifest(**{**values, **changes})


def put_backup(folder: Path, stamp: str, **changes: Any) -> Path:
    """A finished backup with its manifest."""
    path = put_gzip(folder / f"postgres_backup_{stamp}.sql.gz", ours())
    manifests.write(path, described(path, **changes))
    return path
