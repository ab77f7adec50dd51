"""promtool and its like, from the PATH or from Debian's packages unpacked into the cache."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from grafana.src.rulefiles import REPOSITORY

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture(scope="session")
def tools() -> Path:
    """The directory with promtool, prometheus, amtool and prometheus-alertmanager."""
    done = subprocess.run(
        [REPOSITORY / "tools" / "prometheus-tools"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def promtool(tools: Path) -> Run:
    """Run promtool in the repository; its result."""

    def run(*arguments: str | Path) -> Done:
        return subprocess.run(
            [tools / "promtool", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            timeout=60,
        )

    return run
