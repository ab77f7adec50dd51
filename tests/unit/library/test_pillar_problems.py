"""What an operator reads when the pillar is wrong."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgha.errors import ConfigurationError, NotFoundError
from pgha.topology import DEFAULTS, Topology

# key, wrong value, what the sentence must contain besides the key and the value
WRONG_VALUES = [
    ("postgresql_hostname", "DB.example", "RFC 1123"),
    ("postgresql_hostname", "10.0.0.1", "RFC 1123"),
    ("postgresql_hostname", "a..b", "RFC 1123"),
    ("postgresql_cluster_name", "My Cluster", "3 to 40 of a-z, 0-9, _ and -"),
    ("postgresql_cluster_name", "ab", "3 to 40"),
    ("postgresql_cluster_name", "../state", "3 to 40"),
    ("postgresql_cluster_name", "-rf", "beginning and ending with a letter or digit"),
    ("postgresql_version", 14, "from 15 to 18"),
    ("postgresql_version", 19, "from 15 to 18"),
    ("postgresql_version", "16", "without quotes"),
    ("postgresql_port", 0, "from 1 to 65535"),
    ("postgresql_port", 65536, "from 1 to 65535"),
    ("etcd_client_port", True, "from 1 to 65535"),
    ("etcd_peer_port", None, "from 1 to 65535"),
    ("patroni_ttl", 10, "at least 20"),
    ("patroni_loop_wait", 0, "at least 1"),
    ("patroni_retry_timeout", 2, "at least 3"),
    ("patroni_maximum_lag_on_failover", -1, "at least 0"),
    ("postgresql_synchronous_mode", "maybe", "off, on or quorum"),
    ("postgresql_app_database", "Application", "a-z, 0-9 and _"),
    ("postgresql_app_database", "template1", "kept for PostgreSQL"),
    ("postgresql_app_user", "postgres", "kept for PostgreSQL"),
    ("postgresql_app_user", "pg_monitor", "kept for PostgreSQL"),
    ("postgresql_backup_retention_days", 0, "from 1 to 3650"),
    ("postgresql_application_networks", "10.0.0.0/8", "list of networks"),
    ("postgresql_images", ["x"], "mapping of component to image"),
    ("coolify_url", "coolify.example", "https://coolify.example.com"),
    ("coolify_url", "https://c.example:99999", "https://coolify.example.com"),
    ("coolify_project", "a", "Coolify allows no other"),
    ("coolify_verify_tls", "yes", "true or false"),
    ("etcd_voters", "all", "auto or a list"),
]


@pytest.mark.parametrize(("key", "value", "allowed"), WRONG_VALUES)
def test_the_sentence_names_key_value_and_what_is_allowed(
    problems: Any, key: str, value: Any, allowed: str
) -> None:
    found = [sentence for sentence in problems(**{key: value}) if sentence.startswith(key)]

    assert len(found) == 1
    assert repr(value) in found[0]
    assert allowed in found[0]


def test_all_problems_come_at_once(problems: Any) -> None:
    found = problems(
        postgresql_version=14,
        patroni_ttl=10,
        etcd_voters=["postgres-node-1", "postgres-node-2"],
        patroni_lop_wait=10,
        postgresql_parameters={"port": 5432},
    )

    for expected in (
        "postgresql_version",
        "patroni_ttl",
        "etcd_voters",
        "patroni_lop_wait",
        "postgresql_parameters:port",
    ):
        assert any(sentence.startswith(expected) for sentence in found), expected


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("patroni_tll", "patroni_ttl"),
        ("postgresql_node", "postgresql_nodes"),
        ("etcd_voter", "etcd_voters"),
        ("coolify_ulr", "coolify_url"),
    ],
)
def test_a_misspelt_key_gets_a_suggestion(problems: Any, key: str, meant: str) -> None:
    assert problems(**{key: 1}) == (f"{key} is not a known setting. Did you mean {meant}?",)


@pytest.mark.parametrize(
    "key",
    [
        "postgresql_password",
        "superuser_password",
        "postgresql_app_password",
        "coolify_token",
        "restapi_password",
        "password",
    ],
)
def test_a_secret_in_the_pillar_is_refused_and_not_repeated(problems: Any, key: str) -> None:
    (sentence,) = problems(**{key: "hunter2hunter2"})

    assert sentence.startswith(f"{key} must not be in the pillar")
    assert "state/" in sentence
    assert "hunter2" not in sentence


def test_credentials_in_the_address_of_coolify_are_not_repeated(problems: Any) -> None:
    (sentence,) = problems(coolify_url="https://root:hunter2@coolify.example")

    assert "without user and password" in sentence
    assert "hunter2" not in sentence


class TestNodes:
    def test_two_servers_cannot_elect_a_leader(self, pillar: dict[str, Any], problems: Any) -> None:
        (sentence,) = problems(postgresql_nodes=pillar["postgresql_nodes"][:2])

        assert "lists 2 nodes: at least 3 are needed" in sentence

    def test_three_servers_are_enough(self, pillar: dict[str, Any], problems: Any) -> None:
        assert problems(postgresql_nodes=pillar["postgresql_nodes"][:3]) == ()

    @pytest.mark.parametrize("field", ["name", "host", "ip"])
    def test_each_field_is_one_nodes_own(
        self, pillar: dict[str, Any], problems: Any, field: str
    ) -> None:
        nodes = pillar["postgresql_nodes"]
        nodes[3][field] = nodes[1][field]

        found = [each for each in problems() if "is given to 2 nodes" in each]

        assert len(found) == 1
        assert f"{field} {nodes[1][field]}" in found[0]

    def test_one_address_spelt_twice_is_one_address(
        self, pillar: dict[str, Any], problems: Any
    ) -> None:
        pillar["postgresql_nodes"][1]["ip"] = "fd00::1"
        pillar["postgresql_nodes"][2]["ip"] = "FD00:0::1"

        (sentence,) = problems()
        assert "ip fd00::1 is given to 2 nodes (postgres-node-2, postgres-node-3)" in sentence

    def test_two_primaries(self, pillar: dict[str, Any], problems: Any) -> None:
        pillar["postgresql_nodes"][1]["role"] = "primary"

        (sentence,) = problems()
        assert "2 nodes of role primary (postgres-node-1, postgres-node-2)" in sentence

    def test_no_primary(self, pillar: dict[str, Any], problems: Any) -> None:
        pillar["postgresql_nodes"][0]["role"] = "replica"

        assert "no node of role primary" in problems()[0]

    @pytest.mark.parametrize("ip", ["172.28.0.300", "127.0.0.1", "::", "fe80::1%eth0", 7, None])
    def test_wrong_addresses(self, pillar: dict[str, Any], problems: Any, ip: Any) -> None:
        pillar["postgresql_nodes"][1]["ip"] = ip

        (sentence,) = problems()
        assert f"entry 2 (postgres-node-2): ip is {ip!r}" in sentence

    @pytest.mark.parametrize("name", ["Node1", "node_1", "n" * 41, "-n", ""])
    def test_names_must_serve_everywhere(
        self, pillar: dict[str, Any], problems: Any, name: str
    ) -> None:
        pillar["postgresql_nodes"][1]["name"] = name

        assert any("at most 40 of a-z, 0-9 and -" in sentence for sentence in problems())

    def test_a_name_must_not_be_another_nodes_host(
        self, pillar: dict[str, Any], problems: Any
    ) -> None:
        pillar["postgresql_nodes"][1]["name"] = "db"
        pillar["postgresql_nodes"][2]["host"] = "db"

        assert any("the name of one node and the host of another" in each for each in problems())

    def test_fields_missing_and_misspelt(self, pillar: dict[str, Any], problems: Any) -> None:
        node = pillar["postgresql_nodes"][1]
        node["hots"] = node.pop("host")

        assert problems() == (
            "postgresql_nodes entry 2 (postgres-node-2) has no host; every node needs name, host, "
            "ip and role.",
            "postgresql_nodes entry 2 (postgres-node-2): hots is not a known field. "
            "Did you mean host?",
        )


def test_ports_must_differ(problems: Any) -> None:
    (sentence,) = problems(postgresql_replica_port=5432, patroni_restapi_port=5432)

    assert "Port 5432 is given to postgresql_port and postgresql_replica_port and" in sentence


def test_timing_must_leave_room_for_a_retry(problems: Any) -> None:
    (sentence,) = problems(patroni_ttl=29)

    assert "10 + 2 * 10 = 30, more than patroni_ttl (29)" in sentence
    assert problems(patroni_ttl=30) == ()


def test_networks_are_checked_one_by_one(problems: Any) -> None:
    found = problems(postgresql_application_networks=["10.0.0.0/8", "10.0.0.1/8", "fd00::/8", "x"])

    assert [sentence.split(":")[0] for sentence in found] == [
        "postgresql_application_networks contains '10.0.0.1/8'",
        "postgresql_application_networks contains 'x'",
    ]


@pytest.mark.parametrize("reference", ["pgha/etcd", "pgha/etcd:$TAG", "Pgha/etcd:1", "", 5])
def test_images_need_a_tag(problems: Any, reference: Any) -> None:
    (sentence,) = problems(postgresql_images={"etcd": reference})

    assert sentence.startswith(f"postgresql_images:etcd is {reference!r}")


def test_unknown_image_component(problems: Any) -> None:
    (sentence,) = problems(postgresql_images={"haproxy": "x:1"})

    assert "the components are etcd, patroni, router, exporter" in sentence


class TestParameters:
    @pytest.mark.parametrize(
        ("name", "value", "why"),
        [
            ("listen_addresses", "*", "postgresql_member_port"),
            ("port", 5432, "set postgresql_member_port instead"),
            ("cluster_name", "x", "set postgresql_cluster_name instead"),
            ("hot_standby", "off", "Patroni sets it"),
            ("wal_log_hints", "off", "Patroni sets it"),
            ("synchronous_standby_names", "*", "postgresql_synchronous_mode"),
            ("password_encryption", "md5", "SCRAM only"),
            ("ssl", False, "certificate authority"),
            ("work_mem", "16mb", "as in 16MB"),
            ("work_mem", "much", "as in 16MB"),
            ("shared_buffers", True, "as in 16MB"),
            ("statement_timeout", "30sec", "as in 30s"),
            ("max_connections", 10, "at least 25; Patroni ignores a smaller one"),
            ("max_connections", "many", "at least 25"),
            ("wal_level", "minimal", "replica or logical"),
            ("search_path", ["a"], "single text, number or true/false"),
            ("log_line_prefix", "a\nport = 1", "line breaks"),
            ("random_page_cost", float("nan"), "single text, number"),
            ("Work_Mem", "16MB", "lower case"),
            ("work mem", "16MB", "lower case"),
        ],
    )
    def test_refused(self, problems: Any, name: str, value: Any, why: str) -> None:
        (sentence,) = problems(postgresql_parameters={name: value})

        assert sentence.startswith(f"postgresql_parameters:{name} ")
        assert why in sentence

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("work_mem", "16MB"),
            ("work_mem", 4096),
            ("shared_buffers", "1.5 GB"),
            ("temp_file_limit", -1),
            ("statement_timeout", "30s"),
            ("max_connections", 200),
            ("max_connections", "200"),
            ("jit", False),
            ("random_page_cost", 1.1),
            ("auto_explain.log_min_duration", "3s"),
            ("wal_level", "logical"),
            ("log_line_prefix", "%m [%p] %q%u@%d "),
        ],
    )
    def test_accepted_as_written(self, pillar: dict[str, Any], name: str, value: Any) -> None:
        pillar["postgresql_parameters"] = {name: value}

        assert Topology.from_pillar(pillar).parameters == {name: value}

    def test_must_be_a_mapping(self, problems: Any) -> None:
        assert "must be a mapping" in problems(postgresql_parameters=["work_mem"])[0]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.integers(), inner)
    ),
    max_leaves=8,
)
NODE = st.dictionaries(st.sampled_from(["name", "host", "ip", "role"]), JUNK)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*DEFAULTS, "postgresql_clusters"]), JUNK, max_size=5),
    st.lists(NODE | JUNK, max_size=4),
)
def test_no_pillar_whatever_ends_in_a_traceback(changes: dict[str, Any], nodes: list[Any]) -> None:
    pillar = {**copy.deepcopy(DEFAULTS), "postgresql_nodes": nodes, **changes}
    problems: tuple[str, ...] = ()
    try:
        Topology.from_pillar(pillar)
    except ConfigurationError as error:
        problems = error.problems
    except NotFoundError:
        pass
    assert all(problem.endswith((".", "?")) for problem in problems)
