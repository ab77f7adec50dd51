"""Tell Patroni's hook on this server that a switchover follows (`pgha.render.before_stop`)."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pgha.errors import FailedError
from pgha.render.before_stop import ANNOUNCEMENT
from pgha.render.places import POSTGRES, data_directory
from pgha.topology import Topology


def announce(topology: Topology, seconds: float, *, directory: str | None = None) -> Path:
    """Write until when the announcement counts; the hook removes it at the next stop.

    Raises:
        FailedError: it cannot be written; the switchover would only be slower.
    """
    path = Path(directory or data_directory(topology, "postgresql")) / ANNOUNCEMENT
    temporary = path.with_name(f".{ANNOUNCEMENT}.new")
    try:
        temporary.write_text(f"{int(time.time() + seconds)}\n")
        if os.geteuid() == 0:
            os.chown(temporary, POSTGRES, POSTGRES)
        temporary.replace(path)
    except OSError as err:
        raise FailedError(f"{path} cannot be written: {err.strerror}; is the disk full?") from err
    return path
