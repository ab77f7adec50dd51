"""One command brings up a whole cluster; a second run changes nothing."""

from __future__ import annotations

import re
from typing import Any

from tests.support.lab import Deploy, Lab

FIRST_DEPLOY_LIMIT_S = 90
SECOND_DEPLOY_LIMIT_S = 45
REQUEST_LIMIT = 12


def test_first_deploy_ends_well_and_in_time(first_deploy: Deploy) -> None:
    assert first_deploy.code == 0, first_deploy.stdout + first_deploy.stderr
    assert first_deploy.changes
    assert first_deploy.seconds < FIRST_DEPLOY_LIMIT_S, first_deploy.stderr


def test_progress_tells_what_was_done_and_how_long_it_took(first_deploy: Deploy) -> None:
    lines = [line for line in first_deploy.stderr.splitlines() if line.startswith("✓")]
    assert len(lines) >= 8
    assert all(re.search(r"\d+\.\d s$", line) for line in lines)


def test_status_shows_one_leader_three_streaming_replicas_and_quorum(cluster: Lab) -> None:
    status = cluster.until_healthy(60)
    roles = sorted(member["role"] for member in status["members"])
    assert roles == ["leader", "replica", "replica", "replica"]
    states = sorted(member["state"] for member in status["members"])
    assert states == ["running", "streaming", "streaming", "streaming"]
    assert len({member["timeline"] for member in status["members"]}) == 1
    etcd = status["etcd"]
    assert (etcd["voters"], etcd["healthy_voters"], etcd["failure_tolerance"]) == (3, 3, 1)


def test_status_table_reads_well_without_a_terminal(cluster: Lab) -> None:
    done = cluster.salt_run("postgres.status")
    assert done.returncode == 0
    assert "\x1b[" not in done.stdout
    for node in cluster.nodes():
        assert node["name"] in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 120


def test_patroni_status_answers_on_every_minion(cluster: Lab) -> None:
    answers = cluster.salt("*", "patroni.status")
    assert sorted(answers) == sorted(cluster.servers)
    for answer in answers.values():
        assert answer["error"] is None
        assert len(answer["members"]) == 4
        assert answer["paused"] is False
        assert answer["pending_restart"] is False
    assert len({answer["leader"] for answer in answers.values()}) == 1
    lags = [answer["lag_bytes"] for answer in answers.values() if answer["role"] == "replica"]
    assert all(isinstance(lag, int) for lag in lags)


def test_second_deploy_changes_nothing(cluster: Lab) -> None:
    containers = cluster.containers()
    started = postmaster_start_times(cluster)
    requests = len(cluster.requests())

    again = cluster.deploy()

    assert again.code == 0, again.stdout + again.stderr
    assert again.changes == {}
    assert cluster.containers() == containers
    assert postmaster_start_times(cluster) == started
    assert len(cluster.requests()) - requests <= REQUEST_LIMIT
    assert again.seconds < SECOND_DEPLOY_LIMIT_S, again.stderr


def test_plan_of_a_converged_cluster_is_empty(cluster: Lab) -> None:
    plan = cluster.deploy("test=True")
    assert plan.code == 0, plan.stdout + plan.stderr
    assert plan.changes == {}


def test_requests_do_not_grow_with_foreign_services(cluster: Lab) -> None:
    before = _requests_of_a_deploy(cluster)
    cluster.coolify("POST", "foreign-services", {"count": 2000})
    try:
        assert _requests_of_a_deploy(cluster) <= before
    finally:
        cluster.coolify("DELETE", "foreign-services")


def postmaster_start_times(lab: Lab) -> dict[str, Any]:
    answers = lab.salt("*", "patroni.status")
    return {minion: answer["postmaster_start_time"] for minion, answer in answers.items()}


def _requests_of_a_deploy(lab: Lab) -> int:
    before = len(lab.requests())
    again = lab.deploy()
    assert again.code == 0, again.stdout + again.stderr
    return len(lab.requests()) - before
