"""PgBouncer: transaction pooling beside each router (1.24; names from its config documentation)."""

from __future__ import annotations

from dataclasses import dataclass

from pgha.render.accounts import AUTH_DATABASE, MONITOR, PGBOUNCER
from pgha.render.material import Secrets, password, verifier
from pgha.render.patroni import parameters
from pgha.render.places import CA, IN_CONTAINER
from pgha.topology import Topology

_CONFIG = """\
; Transaction pooling in front of this server's router. No secret is in this file.
[databases]
; The router's own read-write port: the hostname is HAProxy's alias on the Docker network.
{auth_database} = host={hostname} port={port}
* = host={hostname} port={port}

[pgbouncer]
listen_addr = *
listen_port = {pool_port}
unix_socket_dir = /tmp
unix_socket_mode = 0700

; Clients prove their password by SCRAM; unknown names are looked up in PostgreSQL.
auth_type = scram-sha-256
auth_file = {directory}/userlist.txt
auth_user = {auth_user}
auth_dbname = {auth_database}
auth_query = SELECT usename, passwd FROM pgbouncer.get_auth($1)
admin_users = {auth_user}
stats_users = {monitor}

client_tls_sslmode = require
client_tls_cert_file = {directory}/pgbouncer.crt
client_tls_key_file = {directory}/pgbouncer.key
; Not to ask for client certificates: without it 1.24 does not start (its issue 1215).
client_tls_ca_file = {ca}
server_tls_sslmode = verify-full
server_tls_ca_file = {ca}

pool_mode = transaction
max_client_conn = 1000
default_pool_size = {pool_size}
reserve_pool_size = {reserve}
reserve_pool_timeout = 3
max_db_connections = {limit}
max_prepared_statements = 200
ignore_startup_parameters = extra_float_digits

; Clients wait while there is no leader instead of failing; a new leader is tried every second.
query_wait_timeout = 120
server_login_retry = 1
server_connect_timeout = 5
dns_max_ttl = 2
dns_nxdomain_ttl = 1
tcp_keepidle = 30
tcp_keepintvl = 10
tcp_keepcnt = 3
tcp_user_timeout = 20000

log_connections = 0
log_disconnections = 0
log_stats = 0
"""


@dataclass(frozen=True)
class PoolSizes:
    """Server connections of one PgBouncer: per user and database, in reserve, per database."""

    pool: int
    reserve: int
    limit: int


def config(topology: Topology) -> str:
    """The content of pgbouncer.ini, the same on every server of the cluster."""
    sizes = pool_sizes(topology)
    return _CONFIG.format(
        hostname=topology.hostname,
        port=topology.port,
        pool_port=topology.pool_port,
        directory=IN_CONTAINER,
        ca=CA,
        auth_user=PGBOUNCER,
        auth_database=AUTH_DATABASE,
        monitor=MONITOR,
        pool_size=sizes.pool,
        reserve=sizes.reserve,
        limit=sizes.limit,
    )


def pool_sizes(topology: Topology) -> PoolSizes:
    """Half of ``max_connections``, shared by all servers' pools; the rest is for direct sessions.

    At least 2 per server, one of them in reserve.
    """
    allowed = int(parameters(topology)["max_connections"])
    limit = max(2, allowed // 2 // len(topology.nodes))
    reserve = max(1, limit // 5)
    return PoolSizes(limit - reserve, reserve, limit)


def user_list(secrets: Secrets) -> str:
    """The content of userlist.txt: the role that looks others up, and monitoring for SHOW commands.

    The first must be in plain text: PgBouncer itself logs in with it.
    """
    accounts = {PGBOUNCER: password(secrets, "pgbouncer"), MONITOR: verifier(secrets, "monitor")}
    return "".join(f'"{name}" "{secret}"\n' for name, secret in accounts.items())
