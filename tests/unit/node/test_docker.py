"""The docker command line as we read it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from pgha.errors import FailedError, NotFoundError, RefusedError, TimedOutError, UnreachableError
from pgha.node.docker import Docker


def docker_that(stdout: str = "", stderr: str = "", code: int = 0) -> Docker:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, code, stdout, stderr)

    return Docker(run=run)


def test_container_carries_its_stack_service_and_state() -> None:
    line = {
        "Names": "etcd-abc",
        "State": "running",
        "Status": "Up 2 minutes (healthy)",
        "Image": "pgha/etcd:1",
        "Labels": "coolify.resourceName=c-n-etcd,com.docker.compose.service=etcd,x=a,b",
    }
    (container,) = docker_that(json.dumps(line) + "\n").containers()
    assert (container.stack, container.service) == ("c-n-etcd", "etcd")
    assert container.is_running


def test_missing_image_has_no_id() -> None:
    assert docker_that(code=1, stderr="No such image").image_ids(["a:1"]) == {"a:1": None}


def test_network_subnets_are_listed_by_name() -> None:
    details = [
        {"Name": "coolify", "IPAM": {"Config": [{"Subnet": "10.0.0.0/24"}]}},
        {"Name": "host", "IPAM": {"Config": None}},
    ]

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        out = json.dumps(details) if "inspect" in command else "coolify\nhost\n"
        return subprocess.CompletedProcess(command, 0, out, "")

    assert Docker(run=run).networks() == {"coolify": ["10.0.0.0/24"], "host": []}


@pytest.mark.parametrize(
    ("stderr", "kind", "words"),
    [
        ("Cannot connect to the Docker daemon at unix://", UnreachableError, "does not answer"),
        ("no space left on device\nmore", RefusedError, "no space left on device"),
    ],
)
def test_failure_is_one_sentence(stderr: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as raised:
        docker_that(stderr=stderr, code=1).version()
    assert "\n" not in str(raised.value)


def test_hanging_engine_is_given_up() -> None:
    def run(command: list[str], **keywords: Any) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, keywords["timeout"])

    with pytest.raises(TimedOutError, match="did not end within 3 s"):
        Docker(run=run, timeout_s=3).version()


def test_server_without_docker_says_what_to_do() -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError("docker")

    with pytest.raises(NotFoundError, match="let Coolify validate"):
        Docker(run=run).version()


def test_a_signal_does_not_make_docker_think_that_somebody_stopped_the_container() -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    Docker(run=run).signal("patroni-1", "HUP")
    assert commands == [["docker", "exec", "patroni-1", "sh", "-c", "kill -HUP 1"]]


def shell(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """The shell's part of `docker run`, for real."""
    own = command[command.index("image") + 1 :]
    return subprocess.run(["/bin/sh", *own], capture_output=True, text=True, check=False)


def test_a_tools_output_is_whole_and_its_failure_is_one() -> None:
    docker = Docker(run=shell)

    assert docker.run_tool("image", "/data", "/x", "printf", "a\\nb") == "a\nb"
    assert docker.run_tool("image", "/data", "/x", "true") == ""
    with pytest.raises(RefusedError, match="docker run failed"):
        docker.run_tool("image", "/data", "/x", "false")


@pytest.mark.parametrize("first", [(0, ""), (125, "")])
def test_output_that_docker_lost_is_asked_for_again(first: tuple[int, str]) -> None:
    answers = [subprocess.CompletedProcess([], first[0], first[1], "runc create failed")]

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return answers.pop() if answers else shell(command)

    assert Docker(run=run).run_tool("image", "/data", "/x", "echo", "control") == "control\n"


def test_output_that_is_lost_every_time_is_not_taken_for_nothing() -> None:
    with pytest.raises(FailedError, match="lost what a tool of image printed"):
        docker_that("Database system id").run_tool("image", "/data", "/x", "pg_controldata")
