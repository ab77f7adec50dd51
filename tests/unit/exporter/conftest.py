from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.clients.postgres_server import Server, binaries, running_server

# How fast a busy machine is says nothing about the exporter.
settings.register_profile("exporter", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("exporter")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One real PostgreSQL for all tests; each test undoes what it breaks."""
    bin_dir = binaries()
    if bin_dir is None:
        pytest.skip("no PostgreSQL server here; the lab's is asked by the integration tests")
    with running_server(bin_dir) as server:
        yield server
