"""What a valid pillar becomes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgha.errors import NotFoundError
from pgha.topology import DEFAULTS, CoolifySettings, Images, Node, Topology, cluster_names

ROOT = Path(__file__).parents[3]


def test_no_pillar_is_the_cluster_of_the_figure() -> None:
    topology = Topology.from_pillar({})

    assert topology.nodes == (
        Node("postgres-node-1", "app-server-1.lan", "172.28.0.20", "primary"),
        Node("postgres-node-2", "app-server-2.lan", "172.28.0.21", "replica"),
        Node("postgres-node-3", "controller.lan", "172.28.0.10", "replica"),
        Node("postgres-node-4", "builder.lan", "172.28.0.30", "replica"),
    )
    assert topology.voters == ("postgres-node-1", "postgres-node-2", "postgres-node-3")
    assert topology.learners == ("postgres-node-4",)
    assert topology.preferred_primary.name == "postgres-node-1"
    assert (topology.ttl, topology.loop_wait, topology.retry_timeout) == (30, 10, 10)
    assert topology.application_networks == ("10.0.0.0/8",)


def test_pillar_defaults_file_repeats_the_defaults() -> None:
    text = (ROOT / "pillar/postgresql/defaults.sls").read_text()
    written = yaml.safe_load(text)

    assert {key: DEFAULTS.get(key) for key in written} == written


def test_topology_cannot_be_changed(topology: Topology) -> None:
    with pytest.raises(FrozenInstanceError):
        topology.port = 1  # type: ignore[misc]


def test_changing_a_result_leaves_the_defaults_alone() -> None:
    Topology.from_pillar({}).parameters["work_mem"] = "1GB"

    assert Topology.from_pillar({}).parameters == {}


@pytest.mark.parametrize("called", ["postgres-node-3", "controller.lan"])
def test_a_node_is_found_by_name_and_by_host(topology: Topology, called: str) -> None:
    assert topology.node(called).ip == "172.28.0.10"


def test_unknown_node_names_the_known_ones(topology: Topology) -> None:
    with pytest.raises(NotFoundError, match=r"'db9' is not a node.*postgres-node-1 \(app-server-1"):
        topology.node("db9")


def test_etcd_nodes_come_voters_first(pillar: dict[str, Any]) -> None:
    pillar["etcd_voters"] = ["postgres-node-4", "controller.lan", "postgres-node-2"]

    topology = Topology.from_pillar(pillar)

    order = ["postgres-node-4", "postgres-node-3", "postgres-node-2", "postgres-node-1"]
    assert [node.name for node in topology.nodes_with("etcd")] == order
    assert topology.nodes_with("router") == topology.nodes


def test_unknown_component_names_the_known_ones(topology: Topology) -> None:
    with pytest.raises(NotFoundError, match="etcd, patroni, router, exporter"):
        topology.nodes_with("redis")


def test_patroni_image_follows_the_version(pillar: dict[str, Any]) -> None:
    pillar["postgresql_version"] = 17

    assert Topology.from_pillar(pillar).images.patroni == "pgha/patroni:17-4.1.5-1"


def test_one_image_can_be_replaced(pillar: dict[str, Any]) -> None:
    pillar["postgresql_images"] = {"etcd": "registry.example:5000/pgha/etcd:3.5.16-1"}

    assert Topology.from_pillar(pillar).images == Images(
        "registry.example:5000/pgha/etcd:3.5.16-1",
        "pgha/patroni:16-4.1.5-1",
        "pgha/router:3.0-1.24-1",
        "pgha/exporter:0.1.0-5",
        "pgha/monitoring:2.53-2",
        "grafana/grafana:11.6.0",
    )


@pytest.mark.parametrize("written", ["https://c.example/", "https://c.example/api/v1/"])
def test_coolify_address_is_kept_without_api_path(pillar: dict[str, Any], written: str) -> None:
    pillar["coolify_url"] = written

    coolify = Topology.from_pillar(pillar).coolify

    assert coolify.url == "https://c.example"
    assert coolify.api_url == "https://c.example/api/v1"
    assert coolify == CoolifySettings(
        "https://c.example", "postgresql", "production", "controller.lan", True
    )


@pytest.mark.parametrize(
    ("written", "mode"), [(False, "off"), (True, "on"), ("off", "off"), ("quorum", "quorum")]
)
def test_yaml_off_and_on_mean_the_words(pillar: dict[str, Any], written: Any, mode: str) -> None:
    pillar["postgresql_synchronous_mode"] = written

    assert Topology.from_pillar(pillar).synchronous_mode == mode


def test_ipv6_is_normalised_and_bracketed(pillar: dict[str, Any]) -> None:
    pillar["postgresql_nodes"][0]["ip"] = "FD00:0:0::20"

    node = Topology.from_pillar(pillar).nodes[0]

    assert (node.ip, node.url_host) == ("fd00::20", "[fd00::20]")


def test_keys_of_others_are_none_of_our_business(pillar: dict[str, Any]) -> None:
    others = {"nginx": {}, "mysql_password": "x", "pgha": {"passwords": {}}, 7: "seven"}

    assert Topology.from_pillar({**pillar, **others}) == Topology.from_pillar(pillar)


class TestSeveralClusters:
    @pytest.fixture
    def pillar(self, pillar: dict[str, Any]) -> dict[str, Any]:
        servers = [("a", "10.1.0.1", "primary"), ("b", "10.1.0.2", "replica")]
        servers += [("c", "10.1.0.3", "replica")]
        nodes = [
            {"name": f"billing-{n}", "host": f"{n}.lan", "ip": ip, "role": role}
            for n, ip, role in servers
        ]
        pillar["postgresql_clusters"] = {"billing": {"postgresql_nodes": nodes}}
        return pillar

    def test_names_begin_with_the_default_one(self, pillar: dict[str, Any]) -> None:
        assert cluster_names(pillar) == ("coolify_postgres", "billing")

    def test_a_further_cluster_takes_the_flat_keys_and_its_overrides(
        self, pillar: dict[str, Any]
    ) -> None:
        pillar["postgresql_version"] = 17

        billing = Topology.from_pillar(pillar, "billing")

        assert (billing.cluster, billing.version, billing.is_default) == ("billing", 17, False)
        assert [node.name for node in billing.nodes] == ["billing-a", "billing-b", "billing-c"]

    def test_the_default_cluster_is_unchanged(self, pillar: dict[str, Any]) -> None:
        assert Topology.from_pillar(pillar, "coolify_postgres") == Topology.from_pillar({})

    def test_an_entry_of_its_own_name_overrides_the_default_cluster(
        self, pillar: dict[str, Any]
    ) -> None:
        pillar["postgresql_clusters"]["coolify_postgres"] = {"postgresql_port": 6000}

        topology = Topology.from_pillar(pillar, "coolify_postgres")

        assert (topology.port, topology.is_default) == (6000, True)

    def test_one_must_be_chosen(self, problems: Any) -> None:
        (sentence,) = problems()

        assert sentence.startswith("Several clusters are declared (coolify_postgres, billing)")

    def test_an_unknown_one_names_the_known_ones(self, pillar: dict[str, Any]) -> None:
        with pytest.raises(NotFoundError, match="declares coolify_postgres, billing"):
            Topology.from_pillar(pillar, "biling")

    def test_wrong_overrides_are_reported_for_their_cluster_only(
        self, pillar: dict[str, Any]
    ) -> None:
        pillar["postgresql_clusters"]["billing"]["patroni_tll"] = 30

        assert Topology.from_pillar(pillar, "coolify_postgres")
        with pytest.raises(Exception, match="Did you mean patroni_ttl"):
            Topology.from_pillar(pillar, "billing")

    def test_clusters_on_the_same_server_need_their_own_ports_and_name(
        self, pillar: dict[str, Any]
    ) -> None:
        pillar["postgresql_clusters"]["billing"]["postgresql_nodes"][0]["ip"] = "172.28.0.20"

        with pytest.raises(Exception, match="problems") as caught:
            Topology.from_pillar(pillar, "billing")

        text = str(caught.value)
        assert (
            "Cluster coolify_postgres shares the servers 172.28.0.20 and already uses the" in text
        )
        assert "postgresql_member_port (5434)" in text
        assert "postgresql_hostname is 'db.postgres.host.uk.com' in this cluster and in" in text

    def test_a_cluster_cannot_take_another_ones_name(self, pillar: dict[str, Any]) -> None:
        billing = pillar["postgresql_clusters"]["billing"]
        billing["postgresql_cluster_name"] = "coolify_postgres"

        with pytest.raises(Exception, match="a cluster is called by its key"):
            Topology.from_pillar(pillar, "billing")

    def test_names_that_are_one_in_docker_are_refused(self, pillar: dict[str, Any]) -> None:
        clusters = pillar["postgresql_clusters"]
        clusters["coolify-postgres"] = clusters.pop("billing")
        clusters["coolify-postgres"]["postgresql_nodes"][0]["name"] = "postgres-node-1"

        with pytest.raises(Exception, match="would be called coolify-postgres-postgres-node-1-"):
            Topology.from_pillar(pillar, "coolify_postgres")

    def test_nonsense_in_another_cluster_on_the_same_server_is_left_to_that_cluster(
        self, pillar: dict[str, Any]
    ) -> None:
        billing = pillar["postgresql_clusters"]["billing"]
        billing["postgresql_nodes"][0]["ip"] = "172.28.0.20"
        billing["postgresql_hostname"] = "billing.example"
        keys = [key for key in DEFAULTS if key.endswith("_port")]
        billing.update({key: [key] for key in keys})

        assert Topology.from_pillar(pillar, "coolify_postgres")

    @pytest.mark.parametrize("wrong", [["billing"], {"billing": ["x"]}, "billing"])
    def test_the_mapping_must_be_one(self, pillar: dict[str, Any], wrong: Any) -> None:
        with pytest.raises(Exception, match=r"postgresql_clusters.* must be a mapping"):
            Topology.from_pillar({**pillar, "postgresql_clusters": wrong})
