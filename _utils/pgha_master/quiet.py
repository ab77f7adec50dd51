"""Keep Salt's own housekeeping out of what operators read."""

from __future__ import annotations

import logging


def hush_salt_at_exit() -> None:
    """Drop log records that come after Salt has closed its log handlers.

    ``salt-run`` of Salt 3008 leaves its Runner and MasterMinion to the garbage collector, which
    warns of them when no handler is left; Python then prints the warning on standard error. Log
    files are not affected.
    """
    logging.lastResort = logging.NullHandler()
