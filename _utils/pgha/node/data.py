"""The data directories of this server: whether they hold anything, and moving etcd's aside."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from pgha.render.places import DATA_ROOT
from pgha.topology import Topology


def initialised(topology: Topology, root: str = DATA_ROOT) -> dict[str, bool]:
    """Whether a member has been made here: ``{"etcd": bool, "postgresql": bool}``.

    etcd counts as made once it has a log (the file that holds which cluster it belongs to),
    PostgreSQL once initdb or a base backup has written its version.
    """
    postgresql = _volume(topology, "postgresql", root) / "data"
    return {
        "etcd": any((etcd_data(topology, root) / "member" / "wal").glob("*.wal")),
        "postgresql": (postgresql / "PG_VERSION").exists(),
    }


def etcd_data(topology: Topology, root: str = DATA_ROOT) -> Path:
    """etcd's data directory on this server."""
    return _volume(topology, "etcd", root) / "data"


def set_etcd_aside(
    topology: Topology, root: str = DATA_ROOT, now: datetime | None = None
) -> str | None:
    """Rename etcd's data directory to ``data.<UTC time>`` beside it; nothing is deleted.

    Returns the new path, or None when there was nothing. etcd must not run.
    """
    data = etcd_data(topology, root)
    if not data.exists():
        return None
    moment = (now or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
    kept = data.with_name(f"{data.name}.{moment}")
    os.rename(data, kept)
    return str(kept)


def _volume(topology: Topology, name: str, root: str) -> Path:
    return Path(root) / topology.cluster / name
