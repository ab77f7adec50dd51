"""The monitoring stack: what the controller holds and what Coolify is asked to run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pgha.errors import NotFoundError
from pgha.render import monitoring
from tests.support.clusters import topology

SECRETS = {"pgha": {"monitoring": {"ca_crt": "CA PEM\n", "password": "s3cret"}}}
CLUSTER = topology()
OWN = "/etc/pgha/coolify_postgres/monitoring"
REPOSITORY = Path(__file__).resolve().parents[3]


def files():
    return {file.path: file for file in monitoring.files(CLUSTER, SECRETS)}


def services(**keywords):
    return yaml.safe_load(monitoring.compose(CLUSTER, **keywords))["services"]


def test_prometheus_finds_configuration_targets_ca_and_password_where_it_looks():
    configuration = yaml.safe_load(files()[f"{OWN}/prometheus.yml"].content)
    (job,) = configuration["scrape_configs"]
    named = [
        job["tls_config"]["ca_file"],
        job["basic_auth"]["password_file"],
        *job["file_sd_configs"][0]["files"],
    ]

    assert {path.replace("/etc/pgha/", f"{OWN}/") for path in named} <= set(files())
    assert configuration["rule_files"] == ["/etc/pgha/rules/*.yml"]
    assert configuration["alerting"]["alertmanagers"][0]["static_configs"] == [
        {"targets": ["127.0.0.1:9093"]}
    ]


def test_the_password_is_in_one_private_file_and_nowhere_else():
    holding = {path for path, file in files().items() if "s3cret" in file.content}
    (password,) = holding
    file = files()[password]

    assert password.endswith("/password.txt")
    assert (file.mode, file.uid, file.secret) == (0o400, 994, True)
    assert "s3cret" not in repr(file)
    assert "s3cret" not in monitoring.compose(CLUSTER)


def test_every_file_lies_in_a_managed_directory():
    directories = {directory.path for directory in monitoring.directories(CLUSTER)}

    assert {str(Path(path).parent) for path in files()} <= directories
    assert f"{OWN}/rules" in directories


def test_without_secrets_the_operator_is_told_what_to_run():
    with pytest.raises(NotFoundError, match=r"postgres\.deploy"):
        monitoring.files(CLUSTER, {"pgha": {"coolify_token": "x"}})


def test_pages_are_on_the_loopback_unless_asked_otherwise():
    def listening(found):
        flags = [flag for one in found.values() for flag in one["command"] if "listen-" in flag]
        return [flag.split("=")[1] for flag in flags if flag.split("=")[1]]

    assert listening(services()) == ["127.0.0.1:9090", "127.0.0.1:9093"]
    assert listening(services(address="172.28.0.10")) == ["172.28.0.10:9090", "127.0.0.1:9093"]


def test_containers_are_as_locked_up_as_the_others():
    for service in services().values():
        assert service["user"] == "994:994"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["pull_policy"] == "never"


def test_mounts_are_absolute_directories_with_a_mode():
    for service in services().values():
        for mount in service["volumes"]:
            source, target, mode = mount.split(":")
            assert source.startswith("/")
            assert target.startswith("/")
            assert mode in ("ro", "rw")


def test_the_image_is_the_one_that_is_built():
    versions = (REPOSITORY / "images/versions.env").read_text()
    release = next(
        line.split("=")[1] for line in versions.splitlines() if "PROMETHEUS_VERSION=" in line
    )

    assert f"pgha/monitoring:{release}-2" == CLUSTER.images.monitoring
    assert '[monitoring]="pgha/monitoring:$PROMETHEUS_VERSION-2"' in versions
