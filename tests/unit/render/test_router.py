"""HAProxy, PgBouncer and the plain Patroni listener."""

from __future__ import annotations

import configparser

import pytest

from pgha.render import haproxy, pgbouncer, restapi
from tests.unit.render.samples import golden, node, secrets, topology


def _section(text, head):
    """The lines of one section of an HAProxy configuration, without indentation."""
    blocks = text.split("\n\n")
    found = next(block for block in blocks if block.strip().startswith(head))
    return [line.strip() for line in found.strip().splitlines()[1:]]


def _pool(cluster):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(pgbouncer.config(cluster))
    return parser


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("haproxy.cfg", haproxy.config(topology())),
        ("pgbouncer.ini", pgbouncer.config(topology())),
        ("restapi.cfg", restapi.config(topology(), node(topology(), 1))),
    ],
)
def test_the_text_is_the_reviewed_one(name, text):
    assert text == golden(name)


@pytest.mark.parametrize("nodes", [3, 4, 5, 7])
def test_every_member_is_asked_who_it_is_over_verified_tls(nodes):
    cluster = topology(nodes)
    lines = _section(haproxy.config(cluster), "backend rw")
    servers = [line for line in lines if line.startswith("server ")]
    assert len(servers) == nodes
    for member, line in zip(cluster.nodes, servers, strict=True):
        assert f" {member.ip}:5434 " in line
        assert f"verifyhost {member.host}" in line
    assert any("check-ssl verify required ca-file /etc/pgha/ca.crt" in line for line in lines)
    assert "option httpchk OPTIONS /primary" in lines


def test_sessions_of_a_demoted_leader_are_closed():
    lines = _section(haproxy.config(topology()), "backend rw")
    assert any("on-marked-down shutdown-sessions" in line for line in lines)


def test_two_leaders_mean_no_new_writer():
    lines = _section(haproxy.config(topology()), "frontend read_write")
    assert "tcp-request connection reject if { nbsrv(rw) gt 1 }" in lines


def test_readers_get_replicas_within_the_lag_and_the_leader_when_none_is_left():
    cluster = topology(4, patroni_maximum_lag_on_failover=777)
    lines = _section(haproxy.config(cluster), "backend ro")
    assert "option httpchk OPTIONS /replica?lag=777" in lines
    for member in cluster.nodes:
        assert (
            f"server leader-{member.name} {member.ip}:5434 backup track rw/{member.name}" in lines
        )


def test_no_statistics_on_the_network():
    text = haproxy.config(topology())
    assert "stats enable" not in text
    assert "stats socket /tmp/haproxy.sock mode 600 level admin" in text
    assert [line for line in text.splitlines() if line.strip().startswith("bind")] == [
        "    bind 127.0.0.1:8404",
        "    bind :5432",
        "    bind :5433",
        "    bind :6432",
    ]


def test_ports_follow_the_pillar():
    cluster = topology(4, postgresql_port=15432, postgresql_pool_port=16432)
    text = haproxy.config(cluster)
    assert "bind :15432" in text
    assert "pgbouncer.coolify_postgres.internal:16432 check" in text
    assert _pool(cluster)["databases"]["*"] == "host=db.postgres.host.uk.com port=15432"


def test_two_clusters_on_a_server_find_their_own_pool():
    other = topology(4, postgresql_cluster_name="other-cluster")
    assert "pgbouncer.other-cluster.internal" in haproxy.config(other)


def test_the_pool_takes_and_makes_tls_connections_only():
    pool = _pool(topology())["pgbouncer"]
    assert pool["client_tls_sslmode"] == "require"
    assert pool["server_tls_sslmode"] == "verify-full"
    assert pool["auth_type"] == "scram-sha-256"
    # PgBouncer 1.24 does not start with client_tls_sslmode=require without it (its issue 1215).
    assert pool["client_tls_ca_file"] == "/etc/pgha/ca.crt"


@pytest.mark.parametrize(("nodes", "declared"), [(3, 200), (4, 200), (7, 100), (7, 25), (4, "400")])
def test_all_pools_together_use_at_most_half_of_the_connections(nodes, declared):
    cluster = topology(nodes, postgresql_parameters={"max_connections": declared})
    sizes = pgbouncer.pool_sizes(cluster)
    assert sizes.pool + sizes.reserve == sizes.limit
    assert sizes.pool >= 1
    assert sizes.limit * nodes <= max(int(declared) // 2, 2 * nodes)


def test_the_user_list_holds_the_lookup_role_and_monitoring():
    assert pgbouncer.user_list(secrets()) == (
        '"pgbouncer" "CANARY-password-pgbouncer"\n"pgha_monitor" "CANARY-verifier-monitor"\n'
    )


def test_the_plain_listener_is_local_and_reads_only():
    cluster = topology()
    lines = _section(restapi.config(cluster, node(cluster, 3)), "frontend plain")
    assert "bind 127.0.0.1:8008" in lines
    assert "http-request deny deny_status 405 unless { method GET HEAD OPTIONS }" in lines
    assert "http-request del-header Authorization" in lines


def test_the_plain_listener_verifies_its_own_member():
    cluster = topology()
    (server,) = _section(restapi.config(cluster, node(cluster, 3)), "backend own")
    assert " 172.28.0.10:8008 ssl verify required ca-file /etc/pgha/ca.crt " in server
    assert "verifyhost controller.lan" in server
