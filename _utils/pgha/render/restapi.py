"""The plain, read-only door to Patroni on 127.0.0.1 (docs/adr/0001)."""

from __future__ import annotations

from pgha.render.entities import ManagedFile
from pgha.render.material import Secrets, ca_file
from pgha.render.places import CA, ROOT, config_directory
from pgha.topology import Node, Topology

COMPONENT = "restapi"
ALIVE = "/pgha-alive"
"""Path that HAProxy answers itself; the container's health check asks for it."""

_CONFIG = """\
# Plain HTTP on this server only, reading only: everything else needs TLS and a password.
global
    log stdout format raw daemon err
    maxconn 100
    hard-stop-after 10s

defaults
    mode http
    log global
    option dontlog-normal
    option log-separate-errors
    timeout connect 3s
    timeout client 30s
    timeout server 30s
    timeout http-request 5s

frontend plain
    bind 127.0.0.1:{port}
    monitor-uri {alive}
    http-request deny deny_status 405 unless {{ method GET HEAD OPTIONS }}
    http-request del-header Authorization
    default_backend own

backend own
    server patroni {address} ssl verify required ca-file {ca} verifyhost {host} sni str({host})
"""


def files(topology: Topology, node: Node, secrets: Secrets) -> list[ManagedFile]:
    """Everything in ``/etc/pgha/<cluster>/restapi``; no secret among it."""
    directory = config_directory(topology, COMPONENT)
    text = config(topology, node)
    return [
        ManagedFile(f"{directory}/restapi.cfg", text, 0o644, ROOT, ROOT, False, COMPONENT),
        ca_file(secrets, directory, COMPONENT),
    ]


def config(topology: Topology, node: Node) -> str:
    """The content of restapi.cfg (HAProxy 3.0).

    HAProxy compares a server's name with DNS names of its certificate only, so the node's host
    name is verified although its address is dialled.
    """
    return _CONFIG.format(
        port=topology.restapi_port,
        alive=ALIVE,
        address=f"{node.url_host}:{topology.restapi_port}",
        ca=CA,
        host=node.host,
    )
