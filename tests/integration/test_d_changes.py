"""Changing the pillar and running again changes the cluster, and only that."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.test_a_deploy import postmaster_start_times
from tests.support.lab import Lab, eventually
from tests.support.writes import from_process


def setting(lab: Lab, name: str) -> dict[str, str]:
    """The value of a setting on each member, asked of PostgreSQL itself."""
    return {
        server: lab.check(server, "psql", "-XAtqc", f"SHOW {name}").strip()
        for server in lab.servers
    }


def test_reloadable_setting_reaches_every_member_without_a_restart(cluster: Lab) -> None:
    started = postmaster_start_times(cluster)
    with cluster.declared(postgresql_parameters={"work_mem": "23MB"}):
        plan = cluster.deploy("test=True")
        assert "work_mem" in json.dumps(plan.changes)
        assert set(setting(cluster, "work_mem").values()) != {"23MB"}
        changed = cluster.deploy()
        assert changed.code == 0, changed.stdout + changed.stderr
        assert "work_mem" in json.dumps(changed.changes)
        eventually(
            lambda: set(setting(cluster, "work_mem").values()) == {"23MB"},
            deadline_s=60,
            what="work_mem on every member",
        )
        assert postmaster_start_times(cluster) == started
        assert cluster.deploy().changes == {}
    back = cluster.deploy()
    assert back.code == 0, back.stdout + back.stderr
    eventually(
        lambda: set(setting(cluster, "work_mem").values()) == {"4MB"},
        deadline_s=60,
        what="work_mem at its default again",
    )


def test_restart_class_setting_is_only_reported_when_rolling_is_manual(cluster: Lab) -> None:
    started = postmaster_start_times(cluster)
    parameters = {"max_connections": 123}
    with cluster.declared(postgresql_parameters=parameters, postgresql_rolling="manual"):
        changed = cluster.deploy()
        assert changed.code == 0, changed.stdout + changed.stderr
        comments = " ".join(state["comment"] for state in changed.states.values())
        assert "max_connections" in comments
        assert "restart" in comments
        eventually(
            lambda: all(
                answer["pending_restart"] for answer in cluster.salt("*", "patroni.status").values()
            ),
            deadline_s=60,
            what="a pending restart on every member",
        )
        assert postmaster_start_times(cluster) == started
    back = cluster.deploy()
    assert back.code == 0, back.stdout + back.stderr
    eventually(
        lambda: (
            not any(
                answer["pending_restart"] for answer in cluster.salt("*", "patroni.status").values()
            )
        ),
        deadline_s=120,
        what="no pending restart after the setting is back",
    )


def test_drift_made_by_hand_is_repaired(cluster: Lab) -> None:
    server = cluster.servers[1]
    path = "/etc/pgha/coolify_postgres/router/haproxy.cfg"
    before = cluster.check(server, "cat", path)
    cluster.check(server, "sh", "-c", f"echo '# by hand' >> {path}")
    repaired = cluster.deploy()
    assert repaired.code == 0, repaired.stdout + repaired.stderr
    assert path in json.dumps(repaired.changes)
    assert cluster.check(server, "cat", path) == before


def test_password_of_the_application_can_be_rotated(cluster: Lab) -> None:
    secret = cluster.state / "postgresql" / "app_password.txt"
    before = secret.read_text()
    changes: list[Any] = []
    try:
        secret.write_text("aNewPasswordOfThirtyTwoLetters01")
        changes.append(cluster.deploy().changes)
        assert from_process(cluster, cluster.servers[0], 5432, "SELECT 1") == "1"
        assert secret.read_text() not in json.dumps(changes)
    finally:
        secret.write_text(before)
        back = cluster.deploy()
    assert back.code == 0, back.stdout + back.stderr
    assert changes[0]
