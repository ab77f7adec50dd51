"""One cluster and its two exporters per combination of versions, one after the other."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.compat.ahead import Ahead
from tests.compat.cluster import Cluster
from tests.compat.container import ROOT, remove_leftovers
from tests.compat.exporter import Exporter, build_wheel
from tests.compat.versions import Versions

OLD, NEW = "old", "new"
COMBINATIONS = (
    Versions(OLD, patroni="3.3", postgres=15, etcd="3.4", tls=False),
    Versions(NEW, patroni="4.1", postgres=16, etcd="3.5", tls=True),
    Versions(NEW, patroni="3.3", postgres=17, etcd="3.4", tls=True, login=True, binary=True),
    Versions(NEW, patroni="4.1", postgres=17, etcd="3.5", tls=False, login=True),
)
"""Every version at least once, both with TLS and without; not every pair.

Every etcd with authentication and without.
"""
FOR_THE_PAGE = COMBINATIONS[-1]


@dataclass(frozen=True)
class Setup:
    """The leader's exporter asks etcd over gRPC, the replica's over HTTP."""

    cluster: Cluster
    leader: Exporter
    replica: Exporter

    @property
    def exporters(self) -> tuple[Exporter, Exporter]:
        return (self.leader, self.replica)


@pytest.fixture(scope="session")
def alone() -> Iterator[None]:
    """Two runs of one checkout would take each other's containers for leftovers."""
    path = ROOT / "reports/compat.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail("another run of these tests is under way in this checkout: wait for it")
        remove_leftovers()
        yield


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, alone: None) -> Path:
    subprocess.run([ROOT / "tests/compat/build.sh"], check=True)
    return build_wheel(tmp_path_factory.mktemp("wheel"), f"pgha/compat:{NEW}")


@pytest.fixture(scope="session")
def ahead(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Ahead]:
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    used = [spec.params["setup"] for spec in parameters if spec and "setup" in spec.params]
    found = Ahead(list(dict.fromkeys(used)), wheel)
    yield found
    found.close()


@pytest.fixture(scope="session", params=COMBINATIONS, ids=str)
def setup(request: pytest.FixtureRequest, ahead: Ahead) -> Iterator[Setup]:
    cluster = ahead.take(request.param)
    try:
        found = Setup(
            cluster, Exporter(cluster, "node1", "grpc"), Exporter(cluster, "node2", "http")
        )
        for exporter in found.exporters:
            exporter.start()
        yield found
    finally:
        cluster.end()
