"""Who sees which secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgha.errors import ConflictError
from pgha.pki import ensure_pki
from pgha.roles import secrets_for
from pgha.secrets import SecretStore
from pgha.topology import Topology
from tests.support.clusters import nodes_of


@pytest.fixture
def store(tmp_path: Path, topology: Topology) -> SecretStore:
    store = SecretStore.of(tmp_path, topology)
    store.ensure_all(topology)
    ensure_pki(store, topology)
    (tmp_path / "coolify").mkdir()
    (tmp_path / "coolify/token").write_text("1|token-of-coolify\n")
    return store


def test_a_node_sees_its_role_and_nothing_else(store: SecretStore, topology: Topology) -> None:
    pillar = secrets_for("app-server-2.lan", topology, store)["pgha"]

    assert set(pillar) == {"ca_crt", "node", "passwords", "verifiers", "web_hashes"}
    assert set(pillar["passwords"]) == {
        "superuser",
        "replicator",
        "rewind",
        "pgbouncer",
        "monitor",
        "restapi",
    }
    assert set(pillar["node"]) == {
        "etcd-server",
        "etcd-client",
        "patroni",
        "postgresql",
        "pgbouncer",
        "exporter",
    }
    assert set(pillar["node"]["patroni"]) == {"crt", "key"}
    assert pillar["verifiers"]["app"].startswith("SCRAM-SHA-256$4096:")


def test_a_node_without_etcd_sees_no_certificate_of_a_member(tmp_path: Path) -> None:
    big = Topology.from_pillar({"postgresql_nodes": nodes_of(9)})
    store = SecretStore.of(tmp_path, big)
    store.ensure_all(big)
    ensure_pki(store, big)
    of_member, of_client = (
        secrets_for(f"server-{number}.lan", big, store)["pgha"]["node"] for number in (8, 9)
    )

    assert set(of_member) - set(of_client) == {"etcd-server"}
    assert not (store.root / "pki/nodes/postgres-node-9/etcd-server.key").exists()


def test_no_node_sees_the_applications_password_or_the_cas_key(
    store: SecretStore, topology: Topology
) -> None:
    ca_key = (store.root / "pki/ca.key").read_text()
    for node in topology.nodes:
        pillar = json.dumps(secrets_for(node.host, topology, store))
        assert store.read("app") not in pillar
        assert json.dumps(ca_key)[1:-1] not in pillar
        assert (store.root / "postgresql/salt.key").read_text() not in pillar


def test_no_node_sees_another_nodes_keys(store: SecretStore, topology: Topology) -> None:
    keys = {
        node.host: {pair["key"] for pair in bundle.values()}
        for node in topology.nodes
        for bundle in [secrets_for(node.host, topology, store)["pgha"]["node"]]
    }

    assert len(set.union(*keys.values())) == sum(map(len, keys.values())) == 24


def test_only_the_controller_sees_the_token(store: SecretStore, topology: Topology) -> None:
    seen = {
        node.host: secrets_for(node.host, topology, store)["pgha"].get("coolify_token")
        for node in topology.nodes
    }

    assert [host for host, token in seen.items() if token] == ["controller.lan"]
    assert seen["controller.lan"] == "1|token-of-coolify"


def test_a_controller_that_is_no_node_sees_the_token_and_what_prometheus_needs(
    store: SecretStore, pillar: dict[str, object]
) -> None:
    topology = Topology.from_pillar({**pillar, "coolify_controller": "coolify.lan"})

    assert secrets_for("coolify.lan", topology, store) == {
        "pgha": {
            "coolify_token": "1|token-of-coolify",
            "monitoring": {
                "ca_crt": (store.root / "pki/ca.crt").read_text(),
                "password": store.read("exporter"),
                "grafana_password": store.read("grafana"),
            },
        }
    }


def test_secrets_that_are_older_than_grafana_serve_prometheus_all_the_same(
    store: SecretStore, topology: Topology
) -> None:
    (store.root / "postgresql/grafana_password.txt").unlink()

    seen = secrets_for(topology.coolify.controller, topology, store)["pgha"]["monitoring"]

    assert set(seen) == {"ca_crt", "password"}


def test_only_the_controller_sees_the_exporters_password(
    store: SecretStore, topology: Topology
) -> None:
    password = store.read("exporter")
    seen = {
        node.host
        for node in topology.nodes
        if password in json.dumps(secrets_for(node.host, topology, store))
    }

    assert seen == {"controller.lan"}


def test_a_cluster_that_is_older_than_a_component_keeps_the_rest(
    store: SecretStore, topology: Topology
) -> None:
    """Between an upgrade of the Salt master and the next deploy."""
    (store.root / "postgresql/exporter_password.txt").unlink()
    for node in topology.nodes:
        for kind in ("crt", "key"):
            (store.root / f"pki/nodes/{node.name}/exporter.{kind}").unlink()

    seen = secrets_for("controller.lan", topology, store)["pgha"]

    assert set(seen) == {"ca_crt", "coolify_token", "node", "passwords", "verifiers"}
    assert "exporter" not in seen["node"]
    assert seen["passwords"]["monitor"]


def test_without_a_token_the_controller_still_gets_the_rest(
    store: SecretStore, topology: Topology
) -> None:
    (store.state_dir / "coolify/token").unlink()

    assert "coolify_token" not in secrets_for("controller.lan", topology, store)["pgha"]


@pytest.mark.parametrize("minion", ["web-1.lan", "postgres-node-1", "app-server-1", ""])
def test_any_other_minion_sees_nothing(store: SecretStore, topology: Topology, minion: str) -> None:
    assert secrets_for(minion, topology, store) == {}


def test_before_the_first_deploy_there_is_nothing_to_hand_out(
    tmp_path: Path, topology: Topology
) -> None:
    store = SecretStore.of(tmp_path, topology)
    assert secrets_for("builder.lan", topology, store) == {}
    (tmp_path / "coolify").mkdir()
    (tmp_path / "coolify" / "token").write_text("1|abc\n")
    assert secrets_for("controller.lan", topology, store) == {"pgha": {"coolify_token": "1|abc"}}


def test_another_clusters_store_is_refused(tmp_path: Path, topology: Topology) -> None:
    with pytest.raises(ConflictError, match=r"SecretStore\.of"):
        secrets_for("builder.lan", topology, SecretStore(tmp_path, "coolify_postgres"))
