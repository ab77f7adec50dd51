"""Keep Salt from printing what the tests logged after pytest's closing line.

Importing ``salt`` installs a handler that collects records until Salt's own logging is set up,
which no test does, and writes them at exit to a standard error that pytest has closed.
"""

from __future__ import annotations

import salt._logging


def pytest_configure() -> None:
    salt._logging.shutdown_temp_handler()
