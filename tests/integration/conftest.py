"""A lab instance of its own for the whole session; destroyed afterwards.

``PGHA_KEEP_LAB=1`` keeps it (and uses what is there) while one works on a test.
``PGHA_FAULTS_END=<Unix time>``: fault scenarios that have not begun by then are skipped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.support.lab import REPOSITORY, Deploy, Lab

KEEP = os.environ.get("PGHA_KEEP_LAB") == "1"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    instance = Lab("test")
    if not KEEP:
        instance.cli("destroy", "--yes")
    started = instance.cli("up", timeout=1500)
    assert started.returncode == 0, started.stdout + started.stderr
    yield instance
    if not KEEP:
        instance.cli("destroy", "--yes")


@pytest.fixture(scope="session")
def first_deploy(lab: Lab) -> Deploy:
    """The deploy onto empty servers; every test of this folder works on its cluster."""
    return lab.deploy()


@pytest.fixture
def cluster(lab: Lab, first_deploy: Deploy) -> Lab:
    """The lab with a healthy cluster in it."""
    assert first_deploy.code == 0, first_deploy.stdout + first_deploy.stderr
    return lab


def pytest_runtest_setup(item: pytest.Item) -> None:
    ends = os.environ.get("PGHA_FAULTS_END")
    if ends and item.get_closest_marker("fault") and time.time() > float(ends):
        pytest.skip("no time is left for slow scenarios in this run")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.failed and "lab" in getattr(item, "fixturenames", ()):
        folder = REPOSITORY / "reports" / "logs" / item.name.replace("/", "_")
        Lab("test").cli("logs", str(folder))
        report.sections.append(("logs of all servers", str(folder)))
    return report
