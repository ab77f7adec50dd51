"""Keep Salt from printing what the tests logged after pytest's closing line.

Importing ``salt`` installs a handler that collects records until Salt's own logging is set up,
which no test does, and writes them at exit to a standard error that pytest has closed.

etcd3 works with current protobuf only when its Python implementation is chosen before the first
import, and some test's library may import protobuf before the exporter's tests do.
"""

from __future__ import annotations

import os

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")

import hypothesis
import salt._logging

# A busy machine is no failure of the code.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_configure() -> None:
    salt._logging.shutdown_temp_handler()
