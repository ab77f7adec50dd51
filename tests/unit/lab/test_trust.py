"""Keys, fingerprints and tokens: nothing is accepted on first sight, nothing secret is shown."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import identity, stand_in
from lab.instance import Instance, Server
from lab.joining import service_actions

PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----\nAAAA\nBBBB\n-----END PUBLIC KEY-----"


def facts_of(server: Server) -> dict[str, Any]:
    return {
        "minion_key": f"minion key of {server.host}",
        "master_key": PUBLIC_KEY,
        "ssh_host_key": f"ssh-ed25519 KEY{server.ip} root@x",
        "coolify_key": "ssh-ed25519 CKEY coolify",
        "paths": {},
    }


@pytest.fixture
def everyone(instance: Instance) -> dict[Server, dict[str, Any]]:
    return {server: facts_of(server) for server in instance.servers}


def test_fingerprint_is_what_salt_computes(tmp_path: Path) -> None:
    crypt = pytest.importorskip("salt.utils.crypt")
    path = tmp_path / "master.pub"
    path.write_text(PUBLIC_KEY + "\n")
    assert identity.master_fingerprint(PUBLIC_KEY) == crypt.pem_finger(str(path))


def test_every_minion_pins_its_master(instance: Instance, everyone: dict[Server, Any]) -> None:
    files = identity.server_files(
        instance, instance.server("builder"), facts_of(instance.controller)
    )
    master_conf = {file.path: file.content for file in files}[identity.MASTER_CONF]
    assert "master: controller.test\n" in master_conf
    assert "id: builder.test\n" in master_conf
    assert f"master_finger: '{identity.master_fingerprint(PUBLIC_KEY)}'\n" in master_conf


def test_master_accepts_exactly_the_servers_keys(everyone: dict[Server, Any]) -> None:
    files = {file.path: file.content for file in identity.master_files(everyone, "code")}
    for server in everyone:
        path = f"/etc/salt/pki/master/minions/{server.host}"
        assert files.pop(path) == f"minion key of {server.host}\n"
    schedule = yaml.safe_load(files.pop(identity.SCHEDULE_CONF))["schedule"]
    assert [job["function"] for job in schedule.values()] == ["postgres.backup_if_due"]
    assert files == {identity.SEEDED: "code\n"}


def test_known_hosts_name_address_and_host(everyone: dict[Server, Any]) -> None:
    lines = identity.known_hosts(everyone).splitlines()
    assert lines[0] == "172.29.0.20,app-server-1.test ssh-ed25519 KEY172.29.0.20"
    assert len(lines) == 4


def test_only_what_differs_is_written(everyone: dict[Server, Any]) -> None:
    files = identity.master_files(everyone, "code")
    there = {"paths": {file.path: file.sha256 for file in files[1:]}}
    assert identity.changed(files, there) == files[:1]


def test_token_has_coolifys_form_and_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / "coolify" / "token"
    token = stand_in.ensure_token(path, 1)
    assert re.fullmatch(r"1\|[A-Za-z0-9]{40}", token)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stand_in.ensure_token(path, 1) == token == path.read_text()


def test_seed_names_all_servers_and_both_tokens(instance: Instance) -> None:
    seed = json.loads(stand_in.seed(instance))
    assert [server["ip"] for server in seed["servers"]] == [s.ip for s in instance.servers]
    used, blind = seed["tokens"]
    assert used["token"] == stand_in.token_path(instance).read_text()
    assert "read:sensitive" in used["abilities"]
    assert "read:sensitive" not in blind["abilities"]
    assert "root" not in used["abilities"]


ALL_RUN = {
    "dockerd": "run",
    "sshd": "run",
    "salt-minion": "run",
    "salt-master": "run",
    "coolify": "run",
}


@pytest.mark.parametrize(
    ("written", "services", "expected"),
    [
        ([], ALL_RUN, ([], [])),
        ([], {"dockerd": "down", "sshd": "run"}, ([], ["dockerd"])),
        ([identity.MASTER_CONF], {"salt-minion": "down"}, (["salt-minion"], [])),
        ([identity.SEEDED], ALL_RUN, (["salt-master"], [])),
        ([f"{stand_in.DIRECTORY}/seed.json"], ALL_RUN, (["coolify"], [])),
        # An accepted key is read from its file each time: no restart.
        (["/etc/salt/pki/master/minions/x"], ALL_RUN, ([], [])),
        ([identity.SEEDED], {"sshd": "run"}, ([], [])),
    ],
)
def test_service_actions(
    written: list[str], services: dict[str, str], expected: tuple[list[str], list[str]]
) -> None:
    assert service_actions(written, services) == expected
