"""Prometheus scrapes every node of every cluster, verified, under one job."""

from __future__ import annotations

import json

import yaml

from pgha.render import prometheus
from tests.support.clusters import topology


def configuration(*clusters, **keywords):
    return yaml.safe_load(prometheus.configuration(clusters, **keywords))


def test_every_node_is_a_target_that_tells_cluster_and_server():
    groups = json.loads(prometheus.targets(topology()))

    assert groups[0] == {
        "targets": ["172.28.0.20:8010"],
        "labels": {"scope": "coolify_postgres", "instance": "app-server-1.lan"},
    }
    assert [group["labels"]["instance"] for group in groups] == [
        node.host for node in topology().nodes
    ]


def test_an_ipv6_target_is_in_brackets_and_the_port_is_the_declared_one():
    declared = [
        {"name": f"n{at}", "host": f"h{at}", "ip": f"fd00::{at}", "role": role}
        for at, role in ((1, "primary"), (2, "replica"), (3, "replica"))
    ]

    groups = json.loads(
        prometheus.targets(topology(postgresql_nodes=declared, postgresql_exporter_port=9100))
    )

    assert groups[0]["targets"] == ["[fd00::1]:9100"]


def test_a_scrape_is_verified_and_carries_no_password_in_the_configuration():
    (job,) = configuration(topology())["scrape_configs"]

    assert job["scheme"] == "https"
    assert job["tls_config"] == {"ca_file": "/etc/prometheus/clusters/coolify_postgres/ca.crt"}
    assert job["basic_auth"] == {
        "username": "prometheus",
        "password_file": "/etc/prometheus/clusters/coolify_postgres/password.txt",
    }


def test_each_cluster_has_its_own_job_and_all_are_called_the_same():
    second = topology(postgresql_cluster_name="other")

    jobs = configuration(topology(), second)["scrape_configs"]

    assert [job["job_name"] for job in jobs] == ["pgha-coolify_postgres", "pgha-other"]
    assert all(
        {"target_label": "job", "replacement": "pgha"} in job["relabel_configs"] for job in jobs
    )


def test_the_exporters_own_scope_wins_over_the_targets():
    """Else Prometheus would rename the exporter's label to exported_scope."""
    (job,) = configuration(topology())["scrape_configs"]

    assert job["honor_labels"] is True


def test_an_alertmanager_is_told_only_when_there_is_one():
    assert "alerting" not in configuration(topology())
    told = configuration(topology(), alertmanagers=["127.0.0.1:9093"])["alerting"]
    assert told == {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]}
