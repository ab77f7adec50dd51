"""Resident memory after ten thousand scrapes, with TLS, for both ways to etcd."""

from __future__ import annotations

import pytest

from tests.compat.conftest import COMBINATIONS, Setup

BARS_MIB = {"grpc": 64, "http": 50}
SCRAPES = 10_000
FLAT_MIB = 2.0
WITH_TLS = COMBINATIONS[1]


@pytest.mark.parametrize("setup", [WITH_TLS], ids=str, indirect=True)
def test_memory_is_below_the_bar_and_flat(setup: Setup) -> None:
    for exporter in setup.exporters:
        with exporter.client() as client:
            sizes = []
            for number in range(SCRAPES + 1):
                assert client.get("/metrics").status_code == 200
                if number in (SCRAPES // 5, SCRAPES):
                    sizes.append(exporter.memory_mib())
        print(f"{exporter.protocol}: {sizes[0]:.1f} MiB, after all {sizes[1]:.1f} MiB")
        assert sizes[1] <= BARS_MIB[exporter.protocol]
        assert sizes[1] - sizes[0] <= FLAT_MIB
