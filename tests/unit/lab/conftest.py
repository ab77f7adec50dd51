"""A checkout of its own for each test: nothing here touches a running lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.instance import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance.load("test", {}, root=tmp_path)
