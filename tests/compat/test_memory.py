"""Resident memory after ten thousand scrapes, with TLS, for both ways to etcd."""

from __future__ import annotations

import base64
import http.client

import pytest

from tests.compat.conftest import COMBINATIONS, Setup
from tests.compat.container import ROOT
from tests.compat.exporter import Exporter

BARS_MIB = {"grpc": 64, "http": 50}
SCRAPES = 10_000
FLAT_MIB = 2.0
WITH_TLS = COMBINATIONS[1]
REPORT = ROOT / "reports/compat/memory.txt"


@pytest.mark.parametrize("setup", [WITH_TLS], ids=str, indirect=True)
def test_memory_is_below_the_bar_and_flat(setup: Setup) -> None:
    seen: dict[str, tuple[float, float]] = {}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    for exporter in setup.exporters:
        scrape_often(exporter, SCRAPES // 5)
        before = exporter.memory_mib()
        scrape_often(exporter, SCRAPES - SCRAPES // 5)
        after = exporter.memory_mib()
        seen[exporter.protocol] = (before, after)
    lines = (f"etcd over {way}: {a:.1f} MiB, then {b:.1f} MiB\n" for way, (a, b) in seen.items())
    REPORT.write_text("".join(lines))
    for protocol, (before, after) in seen.items():
        assert after <= BARS_MIB[protocol]
        assert after - before <= FLAT_MIB


def scrape_often(exporter: Exporter, times: int) -> None:
    """Over one connection, as Prometheus does."""
    login = base64.b64encode(f"prometheus:{exporter.cluster.web}".encode()).decode()
    connection = http.client.HTTPSConnection(
        exporter.cluster.container.address,
        exporter.port,
        context=exporter.cluster.trust(),
        timeout=10,
    )
    for _ in range(times):
        connection.request("GET", "/metrics", headers={"Authorization": f"Basic {login}"})
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    connection.close()
