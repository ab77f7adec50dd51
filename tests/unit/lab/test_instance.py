"""Names and addresses of an instance, and how the environment changes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, NotUpError
from lab.instance import Instance


def test_dev_is_the_figure_of_the_design(tmp_path: Path) -> None:
    dev = Instance.load("dev", {}, root=tmp_path)
    assert [(server.host, server.ip, server.node, server.role) for server in dev.servers] == [
        ("app-server-1.lan", "172.28.0.20", "postgres-node-1", "primary"),
        ("app-server-2.lan", "172.28.0.21", "postgres-node-2", "replica"),
        ("controller.lan", "172.28.0.10", "postgres-node-3", "replica"),
        ("builder.lan", "172.28.0.30", "postgres-node-4", "replica"),
    ]
    assert dev.state_dir == tmp_path / "state"


def test_instances_share_no_name_address_or_folder(tmp_path: Path) -> None:
    dev, test = (Instance.load(name, {}, root=tmp_path) for name in ("dev", "test"))
    for field in ("network", "cidr", "state_dir", "directory", "coolify_url"):
        assert getattr(dev, field) != getattr(test, field)
    assert not {server.host for server in dev.servers} & {server.host for server in test.servers}
    assert not test.state_dir.is_relative_to(dev.state_dir)


def test_environment_describes_a_lab_of_ones_own(tmp_path: Path) -> None:
    environ = {
        "PGHA_LAB_DOMAIN": "try.example",
        "PGHA_LAB_SUBNET": "10.9.8",
        "PGHA_LAB_STATE_DIR": str(tmp_path / "elsewhere"),
    }
    mine = Instance.load("mine", environ, root=tmp_path)
    assert mine.controller.host == "controller.try.example"
    assert mine.controller.ip == "10.9.8.10"
    assert mine.state_dir == tmp_path / "elsewhere"


@pytest.mark.parametrize("name", ["postgres-node-4", "builder", "builder.test", "172.29.0.30"])
def test_a_server_answers_to_all_its_names(instance: Instance, name: str) -> None:
    assert instance.server(name).host == "builder.test"


def test_an_unknown_server_is_refused_with_the_known_ones(instance: Instance) -> None:
    with pytest.raises(NotUpError, match=r"'db9'.*app-server-1\.test, .*builder\.test"):
        instance.server("db9")


@pytest.mark.parametrize(
    ("name", "environ", "said"),
    [
        ("other", {}, "PGHA_LAB_DOMAIN and PGHA_LAB_SUBNET"),
        ("../dev", {}, "no name for a lab"),
        ("test", {"PGHA_LAB_SUBNET": "172.300.0"}, "PGHA_LAB_SUBNET='172.300.0'"),
        ("test", {"PGHA_LAB_SUBNET": "172.29.0.0/24"}, "first three octets"),
        ("test", {"PGHA_LAB_DOMAIN": "a b"}, "PGHA_LAB_DOMAIN='a b'"),
    ],
)
def test_what_is_no_lab_is_refused_by_name(name: str, environ: dict[str, str], said: str) -> None:
    with pytest.raises(LabError, match=said.replace(".", r"\.")):
        Instance.load(name, environ)
