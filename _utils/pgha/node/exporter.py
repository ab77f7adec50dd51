"""Whether this server's exporter answers, as Prometheus would ask it: over TLS, verified."""

from __future__ import annotations

import httpx

from pgha.render.places import CONFIG_ROOT
from pgha.topology import Node, Topology
from pgha.transport import Endpoint, TlsFiles
from pgha.wait import Pending, poll

TIMEOUT_S = 3.0
INTERVAL_S = 0.3


def endpoint(topology: Topology, node: Node, config_root: str = CONFIG_ROOT) -> Endpoint:
    """The web server of a node's exporter."""
    return Endpoint(
        f"https://{node.url_host}:{topology.exporter_port}",
        f"the exporter of {node.host}",
        "see `pgha-logs exporter` there",
        TlsFiles(f"{config_root}/{topology.cluster}/ca.crt"),
        timeout_s=TIMEOUT_S,
    )


def wait_healthy(exporter: Endpoint, *, deadline_s: float) -> None:
    """Wait until ``/-/healthy`` answers 200; it asks for no password and looks at no source.

    Raises:
        TimedOutError: with what was seen instead.
        NotFoundError, DamagedStateError: of the cluster's CA on this server.
    """

    def check() -> bool | Pending:
        answer = exporter.request("GET", "/-/healthy")
        return answer.status == httpx.codes.OK or Pending(f"HTTP {answer.status}")

    poll(check, deadline_s=deadline_s, interval_s=INTERVAL_S, what=exporter.what)
