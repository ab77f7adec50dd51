"""promtool on the repository."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from grafana.src.rulefiles import REPOSITORY

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


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
