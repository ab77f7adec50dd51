"""pg_hba.conf decided as PostgreSQL decides it: the first line that matches."""

from __future__ import annotations

import ipaddress

import pytest

from pgha.render.hba import hba_lines, ident_lines
from tests.unit.render.samples import node, topology

LEADER, OTHER, ROUTER, STRANGER = "172.28.0.20", "172.28.0.21", "10.0.3.4", "203.0.113.7"


def decide(lines, *, source, user, database, tls=True):
    """The method of the first matching line, "no line" when none matches (documentation 20.1)."""
    for line in lines:
        kind, databases, users, *rest = line.split()
        if kind == "local" and source == "socket":
            address, method = None, rest[0]
        elif kind != "local" and source != "socket":
            address, method = rest[0], rest[1]
        else:
            continue
        if kind == ("hostnossl" if tls else "hostssl"):
            continue
        if not _matches(databases, database, everything=database != "replication"):
            continue
        if not _matches(users, user, everything=True):
            continue
        if address in (None, "all"):
            return method
        if ipaddress.ip_address(source) in ipaddress.ip_network(address):
            return method
    return "no line"


def _matches(pattern, value, *, everything):
    return pattern.strip('"') == value or (pattern == "all" and everything)


@pytest.fixture
def lines():
    cluster = topology()
    return hba_lines(cluster, node(cluster, 1))


@pytest.mark.parametrize("source", [LEADER, OTHER, ROUTER, STRANGER, "127.0.0.1"])
@pytest.mark.parametrize(
    ("user", "database"),
    [
        ("app_user", "application"),
        ("postgres", "postgres"),
        ("replicator", "replication"),
        ("rewind", "postgres"),
        ("pgha_monitor", "postgres"),
        ("pgbouncer", "postgres"),
    ],
)
def test_nobody_logs_in_over_plain_text(lines, source, user, database):
    assert decide(lines, source=source, user=user, database=database, tls=False) == "reject"


def test_every_password_is_proved_by_scram(lines):
    methods = {line.split()[4] for line in lines if line.startswith("hostssl")}
    assert methods == {"scram-sha-256", "reject"}


@pytest.mark.parametrize(
    ("source", "allowed"),
    [(LEADER, True), ("127.0.0.1", True), (OTHER, False), (ROUTER, False), (STRANGER, False)],
)
def test_the_superuser_comes_with_a_password_from_its_own_server_only(lines, source, allowed):
    without = [line for line in lines if "clientcert" not in line]
    method = decide(without, source=source, user="postgres", database="postgres")
    assert method == ("scram-sha-256" if allowed else "reject")


@pytest.mark.parametrize("source", [LEADER, OTHER, "172.28.0.10", "198.51.100.7", ROUTER, STRANGER])
def test_from_elsewhere_the_superuser_needs_a_certificate_too(source):
    cluster = topology(postgresql_admin_networks=["198.51.100.0/24"])
    lines = hba_lines(cluster, node(cluster, 1))
    certified = [line for line in lines if line.endswith(" scram-sha-256 clientcert=verify-full")]
    assert {line.split()[2] for line in certified} == {"postgres"}
    allowed = source not in (ROUTER, STRANGER)
    method = decide(certified, source=source, user="postgres", database="application")
    assert method == ("scram-sha-256" if allowed else "no line")
    assert lines.index(certified[-1]) < lines.index("hostssl all postgres all reject")


@pytest.mark.parametrize("user", ["replicator", "rewind"])
@pytest.mark.parametrize(
    ("source", "allowed"), [(LEADER, True), (OTHER, True), (ROUTER, False), (STRANGER, False)]
)
def test_copying_the_cluster_is_for_its_nodes(lines, user, source, allowed):
    database = "replication" if user == "replicator" else "postgres"
    method = decide(lines, source=source, user=user, database=database)
    assert method == ("scram-sha-256" if allowed else "reject")


@pytest.mark.parametrize(
    ("source", "allowed"), [(LEADER, True), (OTHER, True), (ROUTER, True), (STRANGER, False)]
)
def test_the_application_comes_through_routers_and_declared_networks(lines, source, allowed):
    method = decide(lines, source=source, user="app_user", database="application")
    assert method == ("scram-sha-256" if allowed else "reject")


@pytest.mark.parametrize(
    ("user", "database"),
    [("app_user", "postgres"), ("app_user", "replication"), ("pgbouncer", "application")],
)
def test_a_role_reaches_its_own_database_only(lines, user, database):
    assert decide(lines, source=ROUTER, user=user, database=database) == "reject"


def test_unknown_roles_are_refused(lines):
    assert decide(lines, source=ROUTER, user="somebody", database="application") == "reject"


def test_on_the_socket_the_container_is_superuser_and_replicator(lines):
    assert decide(lines, source="socket", user="postgres", database="template1") == "peer"
    assert decide(lines, source="socket", user="replicator", database="replication") == "peer"
    assert decide(lines, source="socket", user="app_user", database="application") == "reject"
    assert ident_lines() == ["pgha postgres postgres", "pgha postgres replicator"]


def test_declared_networks_replace_the_default():
    cluster = topology(4, postgresql_application_networks=["192.0.2.0/24"])
    lines = hba_lines(cluster, node(cluster, 1))
    ask = {"user": "app_user", "database": "application"}
    assert decide(lines, source="192.0.2.9", **ask) == "scram-sha-256"
    assert decide(lines, source=ROUTER, **ask) == "reject"


def test_a_database_named_like_a_keyword_is_only_a_name():
    cluster = topology(4, postgresql_app_database="all_of_it", postgresql_app_user="samerole")
    assert 'hostssl "all_of_it" "samerole" 10.0.0.0/8 scram-sha-256' in hba_lines(
        cluster, node(cluster, 1)
    )
