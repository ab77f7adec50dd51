"""What a container is made from, and what an existing one needs."""

from __future__ import annotations

from typing import Any

import pytest

from lab.instance import Instance
from lab.mounts import EXTENSIONS, bind_mounts, served_folders, volume_mounts
from lab.network import network_arguments
from lab.privileges import choose
from lab.servers import InsideFile, config_hash, container_arguments, next_action


def container(status: str = "running", label: str = "h", network: str = "n1") -> dict[str, Any]:
    return {
        "State": {"Status": status},
        "Config": {"Labels": {"pgha.config": label}},
        "NetworkSettings": {"Networks": {"pgha-test": {"NetworkID": network}} if network else {}},
    }


@pytest.mark.parametrize(
    ("found", "action"),
    [
        (None, "create"),
        (container(), "nothing"),
        (container("paused"), "unpause"),
        (container("exited"), "start"),
        (container("created"), "start"),
        (container("dead"), "recreate"),
        (container(label="other"), "recreate"),
        (container("exited", label="other"), "recreate"),
        (container(network=""), "connect"),
        (container("exited", network="removed"), "recreate"),
    ],
)
def test_next_action(found: dict[str, Any] | None, action: str) -> None:
    wanted = {"wanted_hash": "h", "network": "pgha-test", "network_id": "n1"}
    assert next_action(found, **wanted) == action


def test_config_hash_changes_with_arguments_and_image() -> None:
    hashes = {config_hash(["a", "b"], "i"), config_hash(["ab"], "i"), config_hash(["a", "b"], "j")}
    assert len(hashes) == 3


def test_only_the_controller_sees_the_tree_and_the_state(instance: Instance) -> None:
    for name in ("salt", "pillar", *EXTENSIONS):
        (instance.root / name).mkdir()
    controller = bind_mounts(instance, instance.controller)
    assert f"{instance.state_dir}:/var/lib/pgha-state" in controller
    assert f"{instance.root}/_utils:/srv/pgha/ext/_utils:ro" in controller
    for server in instance.servers:
        if not server.is_controller:
            assert bind_mounts(instance, server) == [
                f"{instance.images_dir}:/var/lib/pgha/images:ro"
            ]


def test_no_folder_that_minions_can_read_holds_the_state(instance: Instance) -> None:
    for name in ("salt", "pillar", "state", *EXTENSIONS):
        (instance.root / name).mkdir()
    instance.state_dir.mkdir(parents=True)
    for source in served_folders(instance):
        assert not instance.state_dir.is_relative_to(source)
        assert not (instance.root / "state").is_relative_to(source)


def test_a_missing_folder_is_left_out_until_it_is_there(instance: Instance) -> None:
    assert str(instance.root / "_grains") not in served_folders(instance)
    (instance.root / "_grains").mkdir()
    assert served_folders(instance)[str(instance.root / "_grains")] == "/srv/pgha/ext/_grains"


def test_a_server_keeps_its_engine_and_the_products_data(instance: Instance) -> None:
    server = instance.server("builder")
    assert volume_mounts(instance, server) == [
        "pgha-test-builder-docker:/var/lib/docker",
        "pgha-test-builder-config:/etc/pgha",
        "pgha-test-builder-data:/var/lib/pgha",
        "pgha-test-builder-coolify:/data/coolify",
    ]


def test_only_the_controller_runs_master_and_stand_in(instance: Instance) -> None:
    for server in instance.servers:
        arguments = container_arguments(instance, server)
        services = "SERVER_SERVICES=salt-master coolify" in arguments
        assert services == server.is_controller
        hosts = [value for value in arguments if value.startswith(("app-", "builder.", "contr"))]
        # Its own name twice (container, host name), every other server once.
        assert len(hosts) == 5


def test_rights_are_privileged_where_that_works() -> None:
    assert choose(cgroup_version="2", privileged_works=True) == [
        "--privileged",
        "--cgroupns",
        "private",
    ]


def test_rights_are_single_capabilities_where_privileged_fails() -> None:
    arguments = choose(cgroup_version="1", privileged_works=False)
    assert "--privileged" not in arguments
    assert {"--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN"} <= set(arguments)
    assert "/sys/fs/cgroup:/sys/fs/cgroup:rw" in arguments


def test_bridge_is_named_only_when_the_kernel_takes_the_name(instance: Instance) -> None:
    assert "com.docker.network.bridge.name=pgha-test" in network_arguments(instance)
    environ = {"PGHA_LAB_DOMAIN": "x", "PGHA_LAB_SUBNET": "10.9.8"}
    long = Instance.load("a-long-lab-name", environ)
    assert not [value for value in network_arguments(long) if "bridge.name" in value]


def test_file_content_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(InsideFile("/x", "hunter2", 0o600))
