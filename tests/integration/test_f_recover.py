"""After a loss, running the deploy again brings the cluster back to what is declared."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.integration.test_a_deploy import postmaster_start_times
from tests.integration.test_b_application import from_process
from tests.support.lab import Lab, eventually


def healthy(lab: Lab) -> bool:
    return bool(lab.status()["healthy"])


def all_minions_answer(lab: Lab) -> bool:
    done = lab.run(lab.controller, "salt", "--out=json", "--static", "*", "test.ping", timeout=60)
    return done.returncode == 0 and all(
        f'"{server}": true' in done.stdout for server in lab.servers
    )


def stack_names(lab: Lab) -> list[str]:
    """The names of the services that Coolify has in our environment."""
    survey = lab.salt(lab.controller, "coolify.survey")[lab.controller]
    return sorted(survey["stacks"])


def test_removed_containers_of_a_server_come_back(cluster: Lab) -> None:
    leader = cluster.leader()
    victim = next(server for server in cluster.servers if server != leader)
    from_process(cluster, leader, 5432, "CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS seven")
    names = stack_names(cluster)
    cluster.check(victim, "sh", "-c", "docker ps -q | xargs docker rm -f")
    again = cluster.deploy()
    assert again.code == 0, again.stdout + again.stderr
    eventually(lambda: healthy(cluster), deadline_s=60, what="a healthy cluster")
    assert stack_names(cluster) == names
    assert from_process(cluster, victim, 5432, "SELECT seven FROM kept") == "7"


@pytest.mark.fault
def test_removed_containers_of_the_leader_come_back(cluster: Lab) -> None:
    leader = cluster.leader()
    cluster.check(leader, "sh", "-c", "docker ps -q | xargs docker rm -f")
    again = cluster.deploy()
    assert again.code == 0, again.stdout + again.stderr
    eventually(lambda: healthy(cluster), deadline_s=60, what="a healthy cluster")
    assert from_process(cluster, leader, 5432, "SELECT seven FROM kept") == "7"


@pytest.mark.fault
@pytest.mark.parametrize("which", ["the leader's server", "the controller"])
def test_whole_server_lost_and_back(cluster: Lab, which: str) -> None:
    server = cluster.controller if which == "the controller" else cluster.leader()
    subprocess.run(["docker", "kill", server], check=True, capture_output=True)
    subprocess.run(["docker", "start", server], check=True, capture_output=True)
    eventually(lambda: all_minions_answer(cluster), deadline_s=180, what="all minions")
    again = cluster.deploy()
    assert again.code == 0, again.stdout + again.stderr
    eventually(lambda: healthy(cluster), deadline_s=90, what="a healthy cluster")
    assert from_process(cluster, server, 5432, "SELECT seven FROM kept") == "7"


@pytest.mark.fault
def test_killed_deploy_is_resumed(cluster: Lab) -> None:
    victim = next(server for server in cluster.servers if server != cluster.leader())
    names = stack_names(cluster)
    cluster.check(victim, "sh", "-c", "docker ps -q | xargs docker rm -f")
    command = ["docker", "exec", cluster.controller, "sh", "-c",
               "echo $$; exec salt-run state.orchestrate postgres.deploy"]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        pid = running.stdout.readline().strip()
        for line in running.stderr:
            if "files, images and hostname" in line:
                break
        cluster.check(cluster.controller, "kill", f"-{int(signal.SIGKILL)}", pid)
    again = cluster.deploy()
    assert again.code == 0, again.stdout + again.stderr
    assert stack_names(cluster) == names
    eventually(lambda: healthy(cluster), deadline_s=60, what="a healthy cluster")
    started = postmaster_start_times(cluster)
    assert cluster.deploy().changes == {}
    assert postmaster_start_times(cluster) == started
