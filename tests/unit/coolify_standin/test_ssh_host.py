"""How a script reaches a server: an `ssh` on the PATH that runs the remote command here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lab.coolify.hosts.base import Completed
from lab.coolify.hosts.ssh import TIMED_OUT, SshHost

SERVER: dict[str, Any] = {"name": "s", "ip": "192.0.2.1", "port": 2222, "user": "root"}


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the false ssh leaves its arguments."""
    record = tmp_path / "arguments"
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" > {record}\nexec ${{@: -1}}\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return record


def run(script: str, timeout_s: float = 10) -> Completed:
    host = SshHost(Path("/key"), Path("/known"), Path("/control"))
    return asyncio.run(host.run(SERVER, script, timeout_s=timeout_s))


def test_stops_at_the_first_failing_line(arguments: Path) -> None:
    result = run("echo one\nfalse\necho two")
    assert (result.exit_status, result.stdout) == (1, "one\n")


def test_only_known_host_keys_and_no_questions(arguments: Path) -> None:
    run("true")
    told = arguments.read_text().splitlines()
    assert {"StrictHostKeyChecking=yes", "UserKnownHostsFile=/known", "BatchMode=yes"} <= set(told)
    assert told[-4:] == ["-p", "2222", "root@192.0.2.1", "bash -se"]


def test_the_script_is_not_on_the_command_line(arguments: Path) -> None:
    run("echo verysecret > /dev/null")
    assert "verysecret" not in arguments.read_text()


def test_timeout_ends_the_script(arguments: Path) -> None:
    assert run("exec tail -f /dev/null", timeout_s=0.2).exit_status == TIMED_OUT


def test_missing_client_counts_as_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert run("true").unreachable
