"""A Prometheus of the test's own, and what it scrapes: the exporters of a healthy cluster.

Four addresses of this machine's loopback stand for four servers; the exporters answer over TLS with
certificates of a CA made for the test, and only to the right password, because the configuration
under test is the one that is rendered for real clusters.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from grafana.src import rulefiles
from pgha.pki import Pki
from pgha.render import prometheus as rendered
from pgha.topology import Node, Topology
from tests.monitoring.healthy import MEMBERS, SCOPE, exposition
from tests.support.clusters import topology

PASSWORD = "secret-of-the-test"
HOLD_S = 40
# Not through a proxy that the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def cluster() -> Topology:
    """Four nodes, moved to loopback addresses, which a pillar may not name."""
    declared = [
        {"name": name, "host": f"h{at}", "ip": f"172.28.0.{11 + at}", "role": "replica"}
        for at, name in enumerate(MEMBERS)
    ]
    declared[0]["role"] = "primary"
    found = topology(postgresql_cluster_name=SCOPE, postgresql_nodes=declared)
    nodes = [replace(node, ip=node.ip.replace("172.28.0", "127.0.0")) for node in found.nodes]
    return replace(found, nodes=tuple(nodes))


def authority(directory: Path, clusters: Topology) -> Pki:
    """A CA and the nodes' certificates below the directory."""
    pki = Pki(directory / "pki")
    pki.ensure_ca()
    pki.ensure_node_certificates(clusters)
    return pki


class Prometheus:
    """The HTTP API of a running Prometheus."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str, **parameters: str) -> Any:
        """The ``data`` of an answer.

        Raises:
            OSError: it does not answer, or not yet.
            AssertionError: it refuses the question, with its reason.
        """
        url = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with _direct.open(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that an expression returns now."""
        found: list[dict[str, Any]] = self.get("query", query=expr)["result"]
        return found

    def alerts(self) -> set[str]:
        """Names of the alerts that are pending or fire."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"]}


@contextmanager
def watching(tools: Path, directory: Path) -> Iterator[Prometheus]:
    """Exporters, and a Prometheus with the rendered configuration that scrapes them each second."""
    clusters = cluster()
    pki = authority(directory, clusters)
    with ExitStack() as stack:
        port = free_port(clusters.nodes[0].ip)
        for node in clusters.nodes:
            stack.enter_context(_exporter(node, port, pki))
        _write(directory, clusters, port, pki)
        yield stack.enter_context(_prometheus(tools, directory))


def _write(directory: Path, clusters: Topology, port: int, pki: Pki) -> None:
    """Prometheus' files, as `pgha.render.prometheus` lays them out; each second instead of 15."""
    own = directory / "clusters" / clusters.cluster
    for folder in (own, directory / "targets", directory / "rules"):
        folder.mkdir(parents=True)
    (own / "ca.crt").write_text((pki.root / "ca.crt").read_text())
    (own / "password.txt").write_text(PASSWORD)
    targets = directory / "targets" / f"{clusters.cluster}.json"
    targets.write_text(rendered.targets(replace(clusters, exporter_port=port)))
    for path in rulefiles.files():
        (directory / "rules" / path.name).write_text(each_second(path.read_text()))
    text = rendered.configuration([clusters], directory=str(directory))
    (directory / "prometheus.yml").write_text(each_second(text))


def each_second(text: str) -> str:
    """Configuration or rules that do every second what they do every 15: tests wait less."""
    return text.replace("interval: 15s", "interval: 1s").replace("_timeout: 5s", "_timeout: 1s")


@contextmanager
def _exporter(node: Node, port: int, pki: Pki) -> Iterator[None]:
    certificate = pki.leaf(node.name, "patroni")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server = ThreadingHTTPServer((node.ip, port), _handler(node.name))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _handler(member: str) -> type[BaseHTTPRequestHandler]:
    login = base64.b64encode(f"{rendered.USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization") == f"Basic {login}"
            body = exposition(member).encode() if allowed else b""
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


@contextmanager
def _prometheus(tools: Path, directory: Path) -> Iterator[Prometheus]:
    port = free_port()
    command = [
        str(tools / "prometheus"),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    log = directory / "prometheus.log"
    with running(command, log):
        server = Prometheus(f"http://127.0.0.1:{port}")
        up = 'up{job="pgha"} == 1'
        eventually(lambda: len(server.query(up)) == len(MEMBERS), f"all are scraped, see {log}")
        yield server


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """A program for as long as the block lasts; what it prints goes to the log."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def eventually(check: Callable[[], Any], what: str, deadline_s: float = HOLD_S) -> Any:
    """Poll until the check returns something true; an answer that does not come counts as false."""
    ends = time.monotonic() + deadline_s
    while True:
        try:
            if found := check():
                return found
        except OSError:
            pass
        assert time.monotonic() < ends, f"not within {deadline_s} s: {what}"
        time.sleep(0.1)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
