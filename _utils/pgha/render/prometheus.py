"""Prometheus: which exporters to scrape, verified and with a password, and the rules to evaluate.

    prometheus.yml                     `configuration`: one scrape job per cluster
    targets/<cluster>.json             `targets`: read again when it changes, no reload needed
    clusters/<cluster>/ca.crt          the cluster's CA
    clusters/<cluster>/password.txt    of the exporters
    rules/*.yml                        grafana/alerts, unchanged

Every target gets the label ``scope`` so that even ``up`` tells its cluster, and ``instance`` is the
server's name. The exporter's own labels win (``honor_labels``): the scope it reports is the same.
The job is always called ``pgha``, which is what the rules ask for; each cluster needs a job of its
own because its CA and password are its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from pgha.render.exporter import SCRAPE_USER
from pgha.topology import Topology

JOB = "pgha"
USER = SCRAPE_USER
DIRECTORY = "/etc/prometheus"

INTERVAL = "15s"
"""The alerts' delays are made for it: PghaMultipleWritablePrimaries must outlast two scrapes."""
TIMEOUT = "5s"
"""An exporter answers within 3 s whatever hangs."""


def configuration(
    topologies: Iterable[Topology],
    *,
    directory: str = DIRECTORY,
    alertmanagers: Iterable[str] = (),
) -> str:
    """The content of prometheus.yml.

    Args:
        topologies: the clusters to watch.
        directory: where Prometheus finds its files.
        alertmanagers: ``host:port`` of each Alertmanager.
    """
    known = list(alertmanagers)
    alerting = {"alertmanagers": [{"static_configs": [{"targets": known}]}]}
    content: dict[str, Any] = {
        "global": {
            "scrape_interval": INTERVAL,
            "scrape_timeout": TIMEOUT,
            "evaluation_interval": INTERVAL,
        },
        "rule_files": [f"{directory}/rules/*.yml"],
        **({"alerting": alerting} if known else {}),
        "scrape_configs": [_job(topology, directory) for topology in topologies],
    }
    return str(yaml.safe_dump(content, sort_keys=False))


def targets(topology: Topology) -> str:
    """The content of targets/<cluster>.json: every node of the cluster (file_sd_config)."""
    groups = [
        {
            "targets": [f"{node.url_host}:{topology.exporter_port}"],
            "labels": {"scope": topology.cluster, "instance": node.host},
        }
        for node in topology.nodes
    ]
    return json.dumps(groups, indent=2) + "\n"


def _job(topology: Topology, directory: str) -> dict[str, Any]:
    own = f"{directory}/clusters/{topology.cluster}"
    return {
        "job_name": f"{JOB}-{topology.cluster}",
        "scheme": "https",
        "honor_labels": True,
        "tls_config": {"ca_file": f"{own}/ca.crt"},
        "basic_auth": {"username": USER, "password_file": f"{own}/password.txt"},
        "file_sd_configs": [{"files": [f"{directory}/targets/{topology.cluster}.json"]}],
        "relabel_configs": [{"target_label": "job", "replacement": JOB}],
    }
