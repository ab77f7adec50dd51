"""etcd's file: what each member believes when it first starts, and whom it trusts."""

from __future__ import annotations

import pytest
import yaml

from pgha.render import etcd
from tests.unit.render.samples import node, secrets, topology


def _config(cluster, number):
    path = f"/etc/pgha/{cluster.cluster}/etcd/etcd.yml"
    found = etcd.files(cluster, node(cluster, number), secrets())
    return yaml.safe_load(next(file.content for file in found if file.path == path))


@pytest.mark.parametrize(("nodes", "voters"), [(3, 3), (4, 3), (5, 5), (7, 7)])
def test_every_voter_starts_a_new_cluster_of_all_voters(nodes, voters):
    cluster = topology(nodes)
    texts = {
        _config(cluster, number)["initial-cluster"]
        for number in range(1, nodes + 1)
        if node(cluster, number).name in cluster.voters
    }
    assert len(texts) == 1
    members = texts.pop().split(",")
    assert len(members) == voters
    assert members[0] == f"postgres-node-1=https://{cluster.nodes[0].ip}:2380"


def test_a_voter_declares_a_new_cluster():
    assert _config(topology(), 1)["initial-cluster-state"] == "new"


def test_a_learner_joins_voters_and_itself():
    config = _config(topology(), 4)
    assert config["initial-cluster-state"] == "existing"
    assert [member.split("=")[0] for member in config["initial-cluster"].split(",")] == [
        "postgres-node-1",
        "postgres-node-2",
        "postgres-node-3",
        "postgres-node-4",
    ]


def test_a_later_voter_change_of_the_live_cluster_does_not_change_the_file_of_others():
    four = topology(4)
    voters = [dict(vars(each)) for each in four.nodes[:3]]
    three = topology(4, postgresql_nodes=voters)
    assert _config(three, 2) == _config(four, 2)


def test_both_ports_demand_certificates_of_our_authority():
    config = _config(topology(), 2)
    for section in ("client-transport-security", "peer-transport-security"):
        assert config[section]["client-cert-auth"] is True
        assert config[section]["trusted-ca-file"] == "/etc/pgha/ca.crt"


def test_nothing_is_offered_without_tls_or_on_other_addresses():
    config = _config(topology(), 1)
    assert config["listen-client-urls"] == "https://172.28.0.20:2379,https://127.0.0.1:2379"
    assert config["listen-peer-urls"] == "https://172.28.0.20:2380"
    assert "http://" not in str(config)


def test_clients_are_pointed_at_voters_only():
    urls = etcd.voter_urls(topology())
    assert urls == [
        "https://172.28.0.20:2379",
        "https://172.28.0.21:2379",
        "https://172.28.0.10:2379",
    ]


def test_keys_belong_to_who_uses_them():
    cluster = topology()
    owners = {
        file.path.rsplit("/", 1)[1]: (file.uid, oct(file.mode))
        for file in etcd.files(cluster, cluster.nodes[0], secrets())
        if file.secret
    }
    assert owners == {"server.key": (998, "0o600"), "client.key": (0, "0o600")}
