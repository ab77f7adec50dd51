"""Keep Salt from printing what the tests logged after pytest's closing line.

Importing ``salt`` installs a handler that collects records until Salt's own logging is set up,
which no test does, and writes them at exit to a standard error that pytest has closed.

etcd3 works with current protobuf only when its Python implementation is chosen before the first
import, and some test's library may import protobuf before the exporter's tests do.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")

import hypothesis
import pytest
import salt._logging

REPOSITORY = Path(__file__).resolve().parents[1]


# A busy machine is no failure of the code.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_configure() -> None:
    salt._logging.shutdown_temp_handler()


@pytest.fixture(scope="session")
def tools() -> Path:
    """A directory with promtool, prometheus, amtool and prometheus-alertmanager, of the PATH or of
    Debian's packages unpacked into the cache."""
    done = subprocess.run(
        [REPOSITORY / "tools" / "prometheus-tools"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
