from __future__ import annotations

import sys


def pytest_unconfigure() -> None:
    """Salt keeps early log records for a console that is closed when it writes them at exit."""
    if "salt._logging.impl" in sys.modules:
        from salt._logging.impl import shutdown_temp_handler

        shutdown_temp_handler()
