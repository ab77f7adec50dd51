"""Every change has a class, and reads as a line of the plan."""

from __future__ import annotations

import pytest

from pgha.roll import impact


def setting(old: object, new: object, context: str | None) -> dict[str, object]:
    return {"old": old, "new": new, "context": context}


@pytest.mark.parametrize(
    ("key", "change", "kind"),
    [
        ("ttl", setting(30, 40, None), impact.NONE),
        ("postgresql.parameters.work_mem", setting("4MB", "8MB", "user"), impact.RELOAD),
        ("postgresql.parameters.x.y", setting(None, "1", None), impact.RELOAD),
        ("postgresql.parameters.shared_buffers", setting("1GB", "2GB", "postmaster"),
         impact.SWITCHOVER),
        ("postgresql.parameters.max_connections", setting(200, 250, "postmaster"),
         impact.SWITCHOVER),
        ("postgresql.parameters.max_connections", setting(250, 200, "postmaster"),
         impact.LEADER_RESTART),
    ],
)  # fmt: skip
def test_class_of_a_setting(key: str, change: dict[str, object], kind: str) -> None:
    (found,) = impact.of_settings({key: change})
    assert found.kind == kind


def test_line_of_a_setting() -> None:
    changes = {"postgresql.parameters.work_mem": setting("4MB", None, "user")}
    assert [str(line) for line in impact.of_settings(changes)] == [
        "work_mem 4MB -> default: reload"
    ]


def test_restarts_that_wait_already_are_one_line_per_parameter() -> None:
    change = {"max_connections": {"old_value": "200", "new_value": "250"}}
    (line,) = impact.of_pending({"n-1": change, "n-2": change}, leader="n-1")
    assert str(line).startswith("max_connections 200 -> 250: switchover (")
    (line,) = impact.of_pending({"n-2": change}, leader="n-1")
    assert str(line) == "max_connections 200 -> 250: replica restart (one at a time)"


@pytest.mark.parametrize(
    ("component", "nodes", "kind"),
    [
        ("etcd", ["n-1", "n-2"], impact.NONE),
        ("patroni", ["n-2"], impact.REPLICA_RESTART),
        ("patroni", ["n-1", "n-2"], impact.SWITCHOVER),
        ("router", ["n-1"], impact.ROUTER_RESTART),
        ("exporter", ["n-1"], impact.NONE),
    ],
)
def test_class_of_recreated_containers(component: str, nodes: list[str], kind: str) -> None:
    assert impact.of_stack(component, nodes, leader="n-1").kind == kind
    assert kind in impact.ORDER
