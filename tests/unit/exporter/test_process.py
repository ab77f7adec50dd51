"""The exporter as a process: it starts, takes up new settings, and stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.unit.exporter.support import until

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "exporter.yml"
    write(path, free_port())
    return path


def write(path: Path, port: int) -> int:
    path.write_text(
        f"scope: main\nmember: a\npatroni_url: http://127.0.0.1:1\nweb_listen: 127.0.0.1:{port}\n"
        "postgres_dsn: host=127.0.0.1 port=1 dbname=postgres user=x\n"
    )
    return port


@pytest.fixture
def process(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'exporter'}:{ROOT / '_utils'}"}
    command = [sys.executable, "-m", "pgha_exporter", "--config", str(config)]
    started = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    yield started
    started.kill()
    started.communicate()


def answers(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/-/healthy", trust_env=False).is_success
    return False


def port_of(config: Path) -> int:
    return int(config.read_text().split("127.0.0.1:")[2].split()[0])


def test_new_settings_are_taken_up_by_the_same_process(
    process: subprocess.Popen[bytes], config: Path
) -> None:
    assert until(lambda: answers(port_of(config)), 20)
    old = port_of(config)
    new = write(config, free_port())
    process.send_signal(signal.SIGHUP)
    assert until(lambda: answers(new), 20)
    assert not answers(old)
    config.write_text("nonsense")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
