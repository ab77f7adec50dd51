"""The data directory of PostgreSQL on this server, as files; never touched while it runs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgha.errors import ConflictError, RefusedError
from pgha.render.places import DATA_ROOT, POSTGRES_DATA, POSTGRES_VOLUME
from pgha.topology import Topology

_LABEL = re.compile(r"[a-z0-9][A-Za-z0-9-]{0,60}")


def directory(topology: Topology, root: str = DATA_ROOT) -> Path:
    """Where PostgreSQL's data is on the server itself."""
    inside = Path(POSTGRES_DATA).relative_to(POSTGRES_VOLUME)
    return Path(root) / topology.cluster / "postgresql" / inside


def look(topology: Topology, root: str = DATA_ROOT) -> dict[str, Any]:
    """``{"present": bool, "bytes": int}``; an empty directory holds nothing."""
    path = directory(topology, root)
    present = path.is_dir() and any(path.iterdir())
    return {"present": present, "bytes": _size(path) if present else 0}


def set_aside(
    topology: Topology,
    label: str,
    stacks: Mapping[str, Mapping[str, str]],
    root: str = DATA_ROOT,
) -> str | None:
    """Rename the data directory; the new path, or None when there was none.

    Args:
        label: of letters, digits and hyphens.
        stacks: `pgha.node.facts.stacks_here` of this server.

    Raises:
        RefusedError: PostgreSQL runs. ConflictError: the label is taken.
    """
    if not _LABEL.fullmatch(label):
        raise RefusedError(f"'{label}' cannot be part of a directory's name; use a-z, 0-9 and -.")
    running = [
        f"{stack}: {service}"
        for stack, services in stacks.items()
        if stack.endswith("-patroni")
        for service, state in services.items()
        if service == "patroni" and state not in ("exited", "created", "dead")
    ]
    if running:
        raise RefusedError(
            f"the data directory is in use ({', '.join(running)}); stop that stack first"
        )
    path = directory(topology, root)
    if not path.is_dir() or not any(path.iterdir()):
        return None
    target = path.with_name(f"{path.name}.{label}")
    if target.exists():
        raise ConflictError(f"{target} exists already; choose another label.")
    os.rename(path, target)
    return str(target)


def _size(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:  # a running PostgreSQL removes files
                continue
    return total
