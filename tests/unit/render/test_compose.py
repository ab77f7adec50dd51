"""Compose texts, held against what Coolify does to them (contract section 3)."""

from __future__ import annotations

import re

import pytest
import yaml

from pgha.errors import NotFoundError
from pgha.render.compose import (
    STACK_COMPONENTS,
    stack_compose,
    stack_containers,
    stack_name,
)
from pgha.render.compose_text import compose_text
from tests.unit.render.samples import golden, node, topology

# What Coolify refuses in service keys and in sources and targets of volumes (3.11).
DANGEROUS = ("`", "$(", "${", "|", "&", ";", "\n", "\r", "\t", ">", "<")
# Base names that Coolify takes for a database (3.9).
DATABASES = {"postgres", "postgresql", "postgis", "timescaledb", "pgvector", "redis", "mysql"}

every_stack = pytest.mark.parametrize("component", STACK_COMPONENTS)


def _document(component, number=1, nodes=4, **pillar):
    cluster = topology(nodes, **pillar)
    return yaml.safe_load(stack_compose(cluster, node(cluster, number), component))


def _services(component, **kwargs):
    return _document(component, **kwargs)["services"]


@every_stack
def test_the_text_is_the_reviewed_one(component):
    cluster = topology()
    assert stack_compose(cluster, node(cluster, 1), component) == golden(f"{component}.yml")


@every_stack
def test_the_text_depends_on_the_declaration_only(component):
    texts = {
        stack_compose(cluster, node(cluster, 2), component) for cluster in (topology(), topology())
    }
    assert len(texts) == 1


@every_stack
def test_settings_that_live_in_files_do_not_recreate_containers(component):
    plain, tuned = topology(), topology(4, postgresql_parameters={"work_mem": "8MB"})
    slow = topology(4, patroni_ttl=60, postgresql_synchronous_mode="on")
    texts = {stack_compose(each, node(each, 2), component) for each in (plain, tuned, slow)}
    assert len(texts) == 1


@every_stack
def test_a_learner_that_becomes_a_voter_keeps_its_containers(component):
    learner = topology()
    voter = topology(4, etcd_voters=["postgres-node-1", "postgres-node-2", "postgres-node-4"])
    assert stack_compose(learner, node(learner, 4), component) == stack_compose(
        voter, node(voter, 4), component
    )


@every_stack
@pytest.mark.parametrize("nodes", [3, 4, 5, 7])
def test_coolify_accepts_the_text(component, nodes):
    cluster = topology(nodes)
    for member in cluster.nodes:
        text = stack_compose(cluster, member, component)
        assert not re.search(r"[$\t]|^---|^\s*[&*!#]|<<:", text, re.MULTILINE)
        for key, service in yaml.safe_load(text)["services"].items():
            assert re.fullmatch(r"[a-z0-9-]+", key)
            parts = [key, *(part for bind in service["volumes"] for part in bind.split(":"))]
            assert not [bad for bad in DANGEROUS for part in parts if bad in part]


@every_stack
def test_nothing_that_coolify_rewrites_or_that_costs_a_recreation(component):
    document = _document(component)
    assert set(document) <= {"services", "networks"}
    for service in document["services"].values():
        assert not {"depends_on", "build", "environment", "env_file", "container_name"} & set(
            service
        )
        base = service["image"].rsplit("/", 1)[-1].split(":")[0]
        assert base not in DATABASES


@every_stack
def test_binds_are_absolute_directories_with_a_mode(component):
    for service in _services(component).values():
        for bind in service["volumes"]:
            source, target, mode = bind.split(":")
            assert f"{source}/".startswith(("/etc/pgha/coolify_postgres/", "/var/lib/pgha/"))
            assert not source.endswith((".crt", ".cfg", ".yml", ".ini"))
            assert target.startswith("/")
            read_only = ("/etc/pgha", "/certificates", "/volumes/data", "/status")
            assert mode == ("ro" if target in read_only else "rw")


@every_stack
def test_values_survive_a_yaml_1_1_and_a_json_like_reader(component):
    scalars = re.compile(r'^\s*(- )?("([^"\\]|\\.)*":)?\s*("([^"\\]|\\.)*"|\d+|true|false)?$')
    cluster = topology()
    for line in stack_compose(cluster, node(cluster, 1), component).splitlines():
        assert scalars.match(line), line


@every_stack
def test_containers_hold_no_power(component):
    for service in _services(component).values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is True
        assert int(service["user"].split(":")[0]) > 0
        assert "privileged" not in service


@every_stack
def test_images_never_come_from_a_registry_at_start(component):
    for service in _services(component).values():
        assert service["pull_policy"] == "never"


def test_each_process_runs_as_the_user_that_owns_its_secrets():
    users = {
        key: service["user"]
        for component in STACK_COMPONENTS
        for key, service in _services(component).items()
    }
    assert users == {
        "etcd": "998:998",
        "patroni": "999:999",
        "restapi": "997:997",
        "haproxy": "997:997",
        "pgbouncer": "996:996",
        "exporter": "995:995",
    }


def test_the_router_is_published_on_its_own_server_only():
    haproxy = _services("router", number=3)["haproxy"]
    assert haproxy["ports"] == [
        "172.28.0.10:5432:5432",
        "172.28.0.10:5433:5433",
        "172.28.0.10:6432:6432",
    ]


def test_only_haproxy_answers_to_the_hostname():
    services = _services("router")
    aliases = {key: service["networks"]["coolify"]["aliases"] for key, service in services.items()}
    assert aliases == {
        "haproxy": ["db.postgres.host.uk.com"],
        "pgbouncer": ["pgbouncer.coolify_postgres.internal"],
    }
    assert _document("router")["networks"] == {"coolify": {"external": True}}


@pytest.mark.parametrize("component", ["etcd", "patroni", "exporter"])
def test_members_live_on_the_servers_network(component):
    document = _document(component)
    assert "networks" not in document
    assert all(service["network_mode"] == "host" for service in document["services"].values())


def test_postgresql_may_take_its_time_to_stop_and_share_memory():
    patroni = _services("patroni")["patroni"]
    assert patroni["stop_grace_period"] == "120s"
    assert patroni["shm_size"] == "1gb"


@every_stack
def test_service_keys_are_what_others_look_for(component):
    assert tuple(_services(component)) == stack_containers(component)


def test_names():
    cluster = topology()
    assert stack_name(cluster, node(cluster, 2), "etcd") == "coolify_postgres-postgres-node-2-etcd"
    with pytest.raises(NotFoundError, match="etcd, patroni, router, exporter"):
        stack_containers("grafana")


def test_a_dollar_is_refused():
    with pytest.raises(ValueError, match="must not contain"):
        compose_text({"services": {"a": {"image": "x:${TAG}"}}})
