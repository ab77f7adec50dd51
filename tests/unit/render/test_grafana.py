"""Grafana's part of the monitoring stack: found where its image looks, its password kept apart."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest
import yaml

from pgha.errors import NotFoundError
from pgha.render import grafana, monitoring
from tests.support.clusters import topology

MONITORING = {"ca_crt": "CA PEM\n", "password": "s3cret", "grafana_password": "gr4fana"}
SECRETS = {"pgha": {"monitoring": MONITORING}}
CLUSTER = topology()
OWN = "/etc/pgha/coolify_postgres/grafana"
REPOSITORY = Path(__file__).resolve().parents[3]


def files(address: str = "172.28.0.10") -> dict[str, monitoring.ManagedFile]:
    found = monitoring.files(CLUSTER, SECRETS, address, with_grafana=True)
    return {file.path: file for file in found if "/grafana/" in file.path}


def service() -> dict[str, object]:
    text = monitoring.compose(CLUSTER, "172.28.0.10", with_grafana=True)
    found: dict[str, object] = yaml.safe_load(text)["services"]["grafana"]
    return found


def test_it_asks_the_prometheus_of_the_stack_by_the_uid_that_dashboards_name() -> None:
    text = files()[f"{OWN}/provisioning/datasources/pgha.yml"].content
    (source,) = yaml.safe_load(text)["datasources"]
    committed = (REPOSITORY / "grafana/provisioning/datasources/pgha.yml").read_text()

    assert source["url"] == "http://172.28.0.10:9090"
    assert source["uid"] == yaml.safe_load(committed)["datasources"][0]["uid"]


def test_what_it_is_told_lies_where_it_is_mounted() -> None:
    (provider,) = yaml.safe_load(files()[f"{OWN}/provisioning/dashboards/pgha.yml"].content)[
        "providers"
    ]
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string(files()[f"{OWN}/grafana.ini"].content)
    directories = {directory.path for directory in grafana.directories(CLUSTER)}

    assert service()["volumes"] == [
        f"{OWN}:/etc/grafana:ro", "/var/lib/pgha/coolify_postgres/grafana:/var/lib/grafana:rw",
    ]  # fmt: skip
    assert f"{OWN}/{Path(provider['options']['path']).name}" in directories
    assert ini["security"]["admin_password"] == "$__file{/etc/grafana/admin_password}"
    assert (ini["server"]["http_addr"], ini["server"]["http_port"]) == ("172.28.0.10", "3000")
    assert {str(Path(path).parent) for path in files()} <= directories


def test_the_password_is_in_one_private_file_that_prometheus_does_not_see() -> None:
    holding = [file for file in files().values() if "gr4fana" in file.content]
    services = yaml.safe_load(monitoring.compose(CLUSTER, with_grafana=True))["services"]

    assert [(file.path, file.mode, file.secret) for file in holding] == [
        (f"{OWN}/admin_password", 0o400, True)
    ]
    assert not [mount for mount in services["prometheus"]["volumes"] if OWN in mount]
    assert "gr4fana" not in json.dumps(services)


def test_secrets_that_are_older_than_grafana_need_a_deploy() -> None:
    older = {"pgha": {"monitoring": {"ca_crt": "CA", "password": "s3cret"}}}

    with pytest.raises(NotFoundError, match=r"postgres\.deploy"):
        monitoring.files(CLUSTER, older, with_grafana=True)
    assert monitoring.files(CLUSTER, older)


def test_without_its_image_nothing_of_it_is_there() -> None:
    assert "grafana" not in monitoring.compose(CLUSTER)
    assert not [f for f in monitoring.files(CLUSTER, SECRETS) if "grafana" in f.path]
    assert not [d for d in monitoring.directories(CLUSTER) if "grafana" in d.path]


def test_the_dashboards_are_in_the_served_tree() -> None:
    served = REPOSITORY / "salt/postgres/monitoring/dashboards"

    assert not served.is_symlink()
    assert (REPOSITORY / "grafana/dashboards").resolve() == served
    assert len(list(served.glob("*.json"))) == 5
