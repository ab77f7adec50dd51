"""An etcd whose HTTP gateway refuses: the exporter then asks over gRPC, unless told not to."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pgha.wait import poll
from tests.compat import etcd
from tests.compat.cluster import Cluster, answers
from tests.compat.conftest import COMBINATIONS, Setup
from tests.compat.exporter import Exporter
from tests.compat.test_versions import sources
from tests.compat.versions import DIRECTORY

WITH_TLS = COMBINATIONS[1]
PROCESS = f"{DIRECTORY}/etcd-refusing"
URL = f"https://127.0.0.1:{etcd.OTHER_PORT}"
pytestmark = pytest.mark.parametrize("setup", [WITH_TLS], ids=str, indirect=True)


@pytest.fixture(params=["common name", "gateway off"])
def refusing(setup: Setup, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setup]:
    """Another etcd in the same container, for a replica's exporter that makes room for others."""
    setup.replica.stop()
    off = request.param == "gateway off"
    command = etcd.other_command(WITH_TLS, *(["--enable-grpc-gateway=false"] if off else []))
    setup.cluster.container.start_process(PROCESS, command)
    with certified(setup.cluster, tmp_path) as client:
        poll(lambda: answers(client), deadline_s=20, interval_s=0.1, what="the other etcd")
        if not off:
            passwords = {user: secrets.token_hex(16) for user in (etcd.ADMINISTRATOR, etcd.NAMED)}
            etcd.switch_on(client, passwords)
            assert "CommonName" in etcd.read(client).text
    yield setup
    setup.cluster.container.signal(PROCESS, "KILL")
    setup.replica.start()


def test_it_is_asked_over_grpc(refusing: Setup) -> None:
    with beside(refusing, "auto") as exporter:
        values = exporter.wait_for("etcd's answer", lambda v: sources(v).get("etcd") == 1, 10)
    assert values["pgha_etcd_has_quorum{}"] == 1
    # Not even the first question is lost.
    assert values["pgha_source_errors_total{protocol,etcd}"] == 0


def test_it_is_not_asked_over_grpc_where_the_settings_say_http(refusing: Setup) -> None:
    with beside(refusing, "http") as exporter:
        values = exporter.wait_for("the refusal", lambda v: sources(v).get("etcd") == 0, 10)
    assert values["pgha_source_errors_total{protocol,etcd}"] >= 1


@contextmanager
def beside(setup: Setup, protocol: str) -> Iterator[Exporter]:
    endpoint = {"ETCD_ENDPOINTS": URL}
    exporter = Exporter(setup.cluster, setup.replica.member, protocol, endpoint)
    exporter.start()
    try:
        yield exporter
    finally:
        exporter.stop()


def certified(cluster: Cluster, folder: Path) -> httpx.Client:
    """A client with the cluster's one certificate."""
    for name in ("server.crt", "server.key"):
        (folder / name).write_text(cluster.container.run("cat", f"{DIRECTORY}/tls/{name}"))
    trust: ssl.SSLContext = cluster.trust()
    trust.load_cert_chain(folder / "server.crt", folder / "server.key")
    url = f"https://{cluster.container.address}:{etcd.OTHER_PORT}"
    return httpx.Client(base_url=url, verify=trust, timeout=5, trust_env=False)
