"""Patroni's local file and the dynamic configuration."""

from __future__ import annotations

import pytest
import yaml

from pgha.render import patroni
from tests.unit.render.samples import node, secrets, topology


def _local(cluster=None, number=1):
    cluster = cluster or topology()
    return patroni.local_config(cluster, node(cluster, number), secrets())


def test_clients_certificates_are_checked_and_dumps_on_replicas_are_spared():
    assert _local()["postgresql"]["parameters"]["ssl_ca_file"] == "/etc/pgha/ca.crt"
    assert patroni.parameters(topology())["hot_standby_feedback"] == "on"


def test_the_file_is_the_configuration():
    cluster = topology()
    files = patroni.files(cluster, node(cluster, 2), secrets())
    text = next(file.content for file in files if file.path.endswith("patroni.yml"))
    assert yaml.safe_load(text) == _local(cluster, 2)


def test_times_and_lag_come_from_the_pillar():
    config = patroni.dynamic_config(
        topology(
            4,
            patroni_ttl=40,
            patroni_loop_wait=5,
            patroni_retry_timeout=8,
            patroni_maximum_lag_on_failover=4096,
        )
    )
    assert (config["ttl"], config["loop_wait"], config["retry_timeout"]) == (40, 5, 8)
    assert config["maximum_lag_on_failover"] == 4096
    assert config["primary_start_timeout"] == 40


@pytest.mark.parametrize(("nodes", "room"), [(3, 20), (12, 20), (13, 40), (40, 60)])
def test_the_leader_has_room_for_every_replica_and_some_more(nodes, room):
    found = patroni.parameters(topology(nodes))
    assert (found["max_wal_senders"], found["max_replication_slots"]) == (room, room)


@pytest.mark.parametrize(
    ("switch", "value"), [("off", False), ("on", True), (True, True), ("quorum", "quorum")]
)
def test_synchronous_mode_is_a_switch(switch, value):
    config = patroni.dynamic_config(topology(4, postgresql_synchronous_mode=switch))
    assert config["synchronous_mode"] is value or config["synchronous_mode"] == value
    assert type(config["synchronous_mode"]) is type(value)


def test_an_etcd_outage_does_not_stop_writes():
    assert patroni.dynamic_config(topology())["failsafe_mode"] is True


def test_declared_parameters_win_over_ours_and_booleans_become_words():
    cluster = topology(
        4, postgresql_parameters={"work_mem": "8MB", "max_connections": 321, "jit": False}
    )
    parameters = patroni.dynamic_config(cluster)["postgresql"]["parameters"]
    assert parameters["work_mem"] == "8MB"
    assert parameters["max_connections"] == 321
    assert parameters["jit"] == "off"
    assert parameters["max_wal_senders"] == 20


def test_a_changed_parameter_reaches_a_cluster_that_does_not_exist_yet():
    cluster = topology(4, postgresql_parameters={"work_mem": "8MB"})
    dcs = _local(cluster)["bootstrap"]["dcs"]
    assert dcs == patroni.dynamic_config(cluster)


def test_what_is_local_never_travels_through_the_dynamic_configuration():
    local = _local()["postgresql"]["parameters"]
    shared = patroni.parameters(topology())
    assert not set(local) & set(shared)


def test_etcd_is_asked_over_mutual_tls_and_at_voters_only():
    etcd3 = _local()["etcd3"]
    assert etcd3["hosts"] == ["172.28.0.20:2379", "172.28.0.21:2379", "172.28.0.10:2379"]
    assert etcd3["protocol"] == "https"
    # Otherwise Patroni replaces the list by etcd's members, the learner included.
    assert etcd3["use_proxies"] is True
    assert {"cacert", "cert", "key"} <= set(etcd3)


def test_the_rest_api_is_on_the_servers_address_with_tls_and_a_password():
    restapi = _local(number=3)["restapi"]
    assert restapi["listen"] == restapi["connect_address"] == "172.28.0.10:8008"
    assert restapi["certfile"] == "/etc/pgha/restapi.crt"
    assert restapi["authentication"]["password"] == "CANARY-password-restapi"


def test_patronictl_verifies_whom_it_talks_to():
    assert _local()["ctl"] == {"insecure": False, "cacert": "/etc/pgha/ca.crt"}


@pytest.mark.parametrize("login", ["superuser", "replication", "rewind"])
def test_members_verify_each_other(login):
    authentication = _local()["postgresql"]["authentication"][login]
    assert authentication["sslmode"] == "verify-full"
    assert authentication["sslrootcert"] == "/etc/pgha/ca.crt"
    assert authentication["password"].startswith("CANARY-password-")


def test_postgresql_listens_on_its_server_and_loopback_with_tls():
    postgresql = _local()["postgresql"]
    assert postgresql["listen"] == "172.28.0.20,127.0.0.1:5434"
    assert postgresql["connect_address"] == "172.28.0.20:5434"
    assert postgresql["parameters"]["ssl"] == "on"
    assert postgresql["parameters"]["password_encryption"] == "scram-sha-256"


def test_binaries_follow_the_version():
    postgresql = _local(topology(4, postgresql_version=17))["postgresql"]
    assert postgresql["bin_dir"] == "/usr/lib/postgresql/17/bin"


def test_initdb_never_trusts_and_checks_pages():
    initdb = _local()["bootstrap"]["initdb"]
    assert "data-checksums" in initdb
    assert {"auth-host": "scram-sha-256"} in initdb
    assert {"locale": "C.UTF-8"} in initdb


def test_data_is_never_removed_without_a_human():
    postgresql = _local()["postgresql"]
    assert postgresql["remove_data_directory_on_rewind_failure"] is False
    assert postgresql["remove_data_directory_on_diverged_timelines"] is False


def test_only_the_containers_user_reads_the_file_and_the_keys():
    cluster = topology()
    private = [f for f in patroni.files(cluster, cluster.nodes[0], secrets()) if f.secret]
    assert {file.path.rsplit("/", 1)[1] for file in private} == {
        "patroni.yml",
        "restapi.key",
        "postgresql.key",
        "etcd-client.key",
    }
    assert {(file.mode, file.uid) for file in private} == {(0o600, 999)}


def test_every_patroni_asks_another_etcd_voter_first():
    """At its start it asks only that one, so a dead server must not be everybody's first."""
    cluster = topology()
    firsts = {each.name: patroni.etcd_hosts(cluster, each)[0] for each in cluster.nodes}
    assert firsts == {
        "postgres-node-1": "172.28.0.20:2379",
        "postgres-node-2": "172.28.0.21:2379",
        "postgres-node-3": "172.28.0.10:2379",
        "postgres-node-4": "172.28.0.10:2379",
    }
    hosts = {tuple(sorted(patroni.etcd_hosts(cluster, each))) for each in cluster.nodes}
    assert len(hosts) == 1


def test_a_recovery_can_name_the_voter_that_is_asked_first():
    cluster = topology()
    file = patroni.config_file(cluster, cluster.nodes[3], secrets(), "postgres-node-2")
    declared = patroni.config_file(cluster, cluster.nodes[3], secrets())
    assert yaml.safe_load(file.content)["etcd3"]["hosts"][0] == "172.28.0.21:2379"
    assert file.secret
    assert declared.content != file.content
