"""HAProxy: one address per server that always leads to the leader, a replica or the pool (3.0).

Decisions, with the section of HAProxy's configuration manual where there is one:

- Every member's Patroni is asked over verified TLS who it is. ``OPTIONS`` returns the status only.
- ``rw``: sessions to a member that stops being leader are closed at once. A failing check is
  repeated twice (``fall 3``) before that: a busy Patroni must not cost every session, and the 0.2 s
  are nothing beside the failover that a true failure brings. Who is not leader is asked more often
  than the leader: in a switchover that is what clients wait for.
- More than one "leader" means that HAProxy does not know yet (it starts and reloads with every
  server up) or that two members claim it; new read-write sessions are then refused, not guessed.
- ``ro``: replicas within ``patroni_maximum_lag_on_failover``; when none is left, the leader, by
  tracking the checks of ``rw`` (5.2, ``track``). Sessions stay where they are when a replica starts
  to lag: closing them would move every reader to the leader at the worst moment.
- No log of sessions: PostgreSQL ends every TLS session with a reset, so each looks like a failure.
  Changes of servers appear on stderr by themselves.
- A reload leaves old sessions with the old process, whose checks are off (5.2, ``tcp-ut``): dead
  peers are found by the TCP user timeout, and the old process ends after an hour.
"""

from __future__ import annotations

from pgha.render.places import CA, pool_alias
from pgha.topology import Node, Topology

HEALTH_PORT = 8404
"""Inside the container, on its loopback: the health check of the container."""

_HEAD = """\
# The router of this server: {port} read-write, {replica_port} read-only, {pool_port} pooled.
global
    maxconn 2000
    hard-stop-after 1h
    stats socket /tmp/haproxy.sock mode 600 level admin

defaults
    mode tcp
    option clitcpka
    option srvtcpka
    clitcpka-idle 30s
    clitcpka-intvl 10s
    clitcpka-cnt 3
    srvtcpka-idle 30s
    srvtcpka-intvl 10s
    srvtcpka-cnt 3
    retries 2
    option redispatch 1
    timeout connect 3s
    timeout check 3s
    timeout client 7d
    timeout server 7d
    timeout client-fin 30s
    timeout server-fin 30s

resolvers docker
    nameserver dns 127.0.0.11:53
    resolve_retries 3
    timeout resolve 1s
    timeout retry 1s
    hold valid 1s
    hold nx 1s
    hold obsolete 10s

frontend health
    bind 127.0.0.1:{health_port}
    mode http
    timeout client 5s
    monitor-uri /health

frontend read_write
    bind :{port}
    tcp-request connection reject if {{ nbsrv(rw) gt 1 }}
    default_backend rw

frontend read_only
    bind :{replica_port}
    default_backend ro

frontend pooled
    bind :{pool_port}
    default_backend pool
"""

_RW = """
backend rw
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server check port {restapi_port} check-ssl verify required ca-file {ca}
    default-server inter 500ms fastinter 200ms downinter 200ms fall 3 rise 1
    default-server on-marked-down shutdown-sessions tcp-ut 20s
"""

_RO = """
backend ro
    balance leastconn
    option httpchk OPTIONS /replica?lag={lag}
    http-check expect status 200
    default-server tcp-ut 20s
"""

_REPLICA_CHECK = (
    "check port {restapi_port} check-ssl verify required ca-file {ca} "
    "inter 2s fastinter 500ms fall 3 rise 1"
)

_POOL = """
backend pool
    server pgbouncer {alias}:{pool_port} check inter 2s fastinter 500ms fall 2 rise 1 \
resolvers docker resolve-prefer ipv4 init-addr none on-marked-down shutdown-sessions
"""


def config(topology: Topology) -> str:
    """The content of haproxy.cfg, the same on every server of the cluster."""
    head = _HEAD.format(
        port=topology.port,
        replica_port=topology.replica_port,
        pool_port=topology.pool_port,
        health_port=HEALTH_PORT,
    )
    pool = _POOL.format(alias=pool_alias(topology), pool_port=topology.pool_port)
    return head + _read_write(topology) + _read_only(topology) + pool


def _read_write(topology: Topology) -> str:
    lines = [f"    {_server(topology, node)}" for node in topology.nodes]
    return _RW.format(restapi_port=topology.restapi_port, ca=CA) + "\n".join(lines) + "\n"


def _read_only(topology: Topology) -> str:
    check = _REPLICA_CHECK.format(restapi_port=topology.restapi_port, ca=CA)
    replicas = [f"    {_server(topology, node)} {check}" for node in topology.nodes]
    leaders = [
        f"    server leader-{node.name} {_address(topology, node)} backup track rw/{node.name}"
        for node in topology.nodes
    ]
    head = _RO.format(lag=topology.maximum_lag_on_failover)
    return head + "\n".join([*replicas, *leaders]) + "\n"


def _server(topology: Topology, node: Node) -> str:
    name = f"verifyhost {node.host} check-sni {node.host}"
    return f"server {node.name} {_address(topology, node)} {name}"


def _address(topology: Topology, node: Node) -> str:
    return f"{node.url_host}:{topology.member_port}"
