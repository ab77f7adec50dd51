"""The exporter's files, read by the exporter itself."""

from __future__ import annotations

import re

import pytest
import yaml

from pgha.errors import NotFoundError
from pgha.render import exporter
from pgha.render.files import reload_targets
from pgha_exporter import settings
from pgha_exporter.web import config as web
from tests.unit.render.samples import node, secrets, topology


def loaded(number: int = 1, **pillar: object) -> settings.Settings:
    cluster = topology(**pillar)
    text = yaml.safe_load(yaml.safe_dump(exporter.config(cluster, node(cluster, number))))
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in text.items()}
    return settings.Settings(**values)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_exporter_accepts_its_settings(number: int) -> None:
    problems = settings.check(loaded(number))
    # The files are in the container only.
    assert [problem for problem in problems if "cannot be read by this user" not in problem] == []


def test_it_listens_on_its_own_server_only() -> None:
    assert loaded(3).web_listen == "172.28.0.10:8010"
    assert loaded(3, postgresql_exporter_port=9999).listen == ("172.28.0.10", 9999)


def test_it_asks_every_etcd_member_and_its_own_patroni_and_postgresql() -> None:
    found = loaded(4)
    assert len(found.etcd_endpoints) == 4
    assert found.patroni_url == "http://127.0.0.1:8008"
    assert "host=127.0.0.1 port=5434" in found.postgres_dsn
    assert found.members_expected == 4


def test_only_the_controller_knows_of_backups() -> None:
    assert [bool(loaded(number).backup_status_file) for number in (1, 2, 3, 4)] == [
        False, False, True, False,
    ]  # fmt: skip
    cluster = topology()
    path = exporter.backup_status_path(cluster)
    assert path == "/var/lib/pgha/coolify_postgres/exporter/backup.json"


def test_no_password_is_in_the_settings() -> None:
    assert not re.search("CANARY|password=", str(exporter.config(topology(), topology().nodes[0])))


def test_the_web_configuration_is_one(tmp_path: object) -> None:
    text = exporter.web_config(secrets())
    assert text["basic_auth_users"] == {"prometheus": "CANARY-hash-exporter"}
    assert set(text) <= {"tls_server_config", "basic_auth_users"}
    assert set(text["tls_server_config"]) <= set(web.TLS_KEYS)


def test_a_missing_hash_is_named() -> None:
    with pytest.raises(NotFoundError, match="web_hashes exporter"):
        exporter.web_config({"pgha": {}})


def test_a_changed_file_makes_it_begin_anew() -> None:
    assert reload_targets("exporter", "/etc/pgha/c/exporter/exporter.yml") == (("exporter", "HUP"),)
