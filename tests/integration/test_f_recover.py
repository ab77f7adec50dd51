"""After a loss, running the deploy again brings the cluster back to what is declared."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.integration.test_a_deploy import postmaster_start_times
from tests.support.lab import Lab, eventually
from tests.support.writes import from_process

COOLIFY = "http://127.0.0.1:8000"


def all_minions_answer(lab: Lab) -> bool:
    done = lab.run(lab.controller, "salt", "--out=json", "--static", "*", "test.ping", timeout=60)
    return done.returncode == 0 and all(
        f'"{server}": true' in done.stdout for server in lab.servers
    )


def coolify_answers(lab: Lab) -> bool:
    """Whether Coolify is up, which starts together with Salt on the controller."""
    return lab.run(lab.controller, "curl", "-fs", f"{COOLIFY}/api/v1/health").returncode == 0


def stack_names(lab: Lab) -> list[str]:
    """The names of the services that Coolify has in our environment, a name twice if it has two."""
    services = lab.salt(lab.controller, "coolify.services")[lab.controller]
    return sorted(service["name"] for service in services)


@pytest.fixture
def kept(cluster: Lab) -> Lab:
    """The cluster with a row in it that every test must find again."""
    leader = cluster.leader()
    from_process(cluster, leader, 5432, "CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS seven")
    return cluster


def row_is_kept(lab: Lab, server: str) -> bool:
    """Whether the row is read through the hostname on that server."""
    return from_process(lab, server, 5432, "SELECT seven FROM kept") == "7"


def test_removed_containers_of_a_server_come_back(kept: Lab) -> None:
    """All of one server, and single ones of another whose neighbours still run."""
    leader = kept.leader()
    victim, other, *_ = [server for server in kept.servers if server != leader]
    names = stack_names(kept)
    kept.check(victim, "sh", "-c", "docker ps -q | xargs docker rm -f")
    some = "docker ps -q --filter name=^patroni- --filter name=^pgbouncer-"
    kept.check(other, "sh", "-c", f"{some} | xargs docker rm -f")
    again = kept.deploy()
    assert again.code == 0, again.stdout + again.stderr
    kept.until_healthy()
    assert stack_names(kept) == names
    assert row_is_kept(kept, victim)


def test_removed_containers_of_the_leader_come_back(kept: Lab) -> None:
    leader = kept.leader()
    kept.check(leader, "sh", "-c", "docker ps -q | xargs docker rm -f")
    again = kept.deploy()
    assert again.code == 0, again.stdout + again.stderr
    kept.until_healthy()
    assert row_is_kept(kept, leader)


@pytest.mark.parametrize("which", ["the leader's server", "the controller"])
def test_whole_server_lost_and_back(kept: Lab, which: str) -> None:
    server = kept.controller if which == "the controller" else kept.leader()
    subprocess.run(["docker", "kill", server], check=True, capture_output=True)
    subprocess.run(["docker", "start", server], check=True, capture_output=True)
    eventually(lambda: all_minions_answer(kept), deadline_s=300, what="all minions")
    eventually(lambda: coolify_answers(kept), deadline_s=90, what="Coolify")
    again = kept.deploy()
    assert again.code == 0, again.stdout + again.stderr
    kept.until_healthy(180)
    assert row_is_kept(kept, server)


def test_killed_deploy_is_resumed(kept: Lab) -> None:
    victim = next(server for server in kept.servers if server != kept.leader())
    names = stack_names(kept)
    kept.check(victim, "sh", "-c", "docker ps -q | xargs docker rm -f")
    command = ["docker", "exec", kept.controller, "sh", "-c",
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
        kept.check(kept.controller, "kill", f"-{int(signal.SIGKILL)}", pid)
    again = kept.deploy()
    assert again.code == 0, again.stdout + again.stderr
    assert stack_names(kept) == names
    kept.until_healthy()
    started = postmaster_start_times(kept)
    assert kept.deploy().changes == {}
    assert postmaster_start_times(kept) == started
