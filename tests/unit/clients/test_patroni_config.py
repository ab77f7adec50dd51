from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import ConflictError
from pgha.patroni.client import PatroniClient
from pgha.patroni.dynamic import apply_config, changed_parameters, plan_config, restart_order
from pgha.patroni.rollout import pending_restarts, restart_advice, wait_taken
from pgha.patroni.settings import same_value
from pgha.render.patroni import dynamic_config
from tests.support.clusters import topology
from tests.unit.clients.servers import Reply, recorded, serve


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("16MB", "16384kB", True),
        ("1min", "60s", True),
        ("0.5GB", "512MB", True),
        (100, "100", True),
        (1.1, "1.1", True),
        ("on", True, True),
        ("off", "false", True),
        ("16MB", "17MB", False),
        ("16MB", "2048", False),
        (1, True, False),
        ("%m", "%p", False),
        ("a", None, False),
        (["a"], ["a"], True),
    ],
)
def test_values_are_compared_as_postgresql_reads_them(one: Any, other: Any, same: bool) -> None:
    assert same_value(one, other) is same
    assert same_value(other, one) is same


def with_parameters(**parameters: Any) -> dict[str, Any]:
    return {"ttl": 30, "postgresql": {"parameters": parameters}}


def test_nothing_differs_between_what_patroni_stored_and_what_we_declared() -> None:
    declared = dynamic_config(topology())
    assert plan_config(recorded("config"), declared).changes == {}


def test_a_parameter_that_is_not_declared_is_drift_and_goes() -> None:
    plan = plan_config(with_parameters(work_mem="8MB", jit="off"), with_parameters(work_mem="8MB"))
    assert plan.changes == {"postgresql.parameters.jit": {"old": "off", "new": None}}
    assert plan.patch == {"postgresql": {"parameters": {"jit": None}}}


def test_other_keys_that_are_not_declared_stay() -> None:
    found = {**with_parameters(), "pause": True, "slots": {"a": {"type": "physical"}}}
    assert plan_config(found, with_parameters()).patch == {}


def test_the_patch_holds_the_differences_only() -> None:
    plan = plan_config(with_parameters(work_mem="4MB", a=1), with_parameters(work_mem="8MB", a=1))
    assert plan.patch == {"postgresql": {"parameters": {"work_mem": "8MB"}}}
    assert changed_parameters({**plan.changes, "ttl": {"old": 1, "new": 2}}) == {
        "work_mem": {"old": "4MB", "new": "8MB"}
    }


def test_the_same_size_in_another_unit_is_no_change() -> None:
    assert not plan_config(with_parameters(a="16384kB"), with_parameters(a="16MB")).patch


class Store:
    """A /config that keeps what is patched into it and says 409 as often as told."""

    def __init__(self, config: dict[str, Any], conflicts: int = 0) -> None:
        self.config, self.conflicts = config, conflicts

    def patch(self, body: dict[str, Any]) -> Reply:
        if self.conflicts:
            self.conflicts -= 1
            return 409, ""
        self.config["postgresql"]["parameters"].update(body["postgresql"]["parameters"])
        return 200, self.config

    def routes(self) -> Any:
        return {"GET /config": lambda _: (200, self.config), "PATCH /config": self.patch}


def test_a_change_that_came_between_is_planned_again() -> None:
    store = Store(with_parameters(work_mem="4MB"), conflicts=2)
    with serve(store.routes()) as server:
        plan = apply_config(PatroniClient(server.url), with_parameters(work_mem="8MB"))
    assert plan.changes["postgresql.parameters.work_mem"]["new"] == "8MB"
    assert store.config["postgresql"]["parameters"]["work_mem"] == "8MB"


def test_a_configuration_that_keeps_changing_is_an_error_after_three_attempts() -> None:
    store = Store(with_parameters(work_mem="4MB"), conflicts=99)
    with serve(store.routes()) as server, pytest.raises(ConflictError):
        apply_config(PatroniClient(server.url), with_parameters(work_mem="8MB"))
    assert len(server.asked("PATCH")) == 3


def test_a_patroni_that_answers_what_it_read_before_is_waited_for() -> None:
    store = Store(with_parameters(work_mem="4MB"))
    old = [with_parameters(work_mem="4MB") for _ in range(3)]
    routes = {**store.routes(), "GET /config": lambda _: (200, old.pop() if old else store.config)}
    with serve(routes) as server:
        apply_config(PatroniClient(server.url), with_parameters(work_mem="8MB"))
    assert len(server.asked("GET")) == 4


def test_no_difference_sends_nothing() -> None:
    with serve(Store(with_parameters(work_mem="8MB")).routes()) as server:
        apply_config(PatroniClient(server.url), with_parameters(work_mem="8192kB"))
    assert server.asked("PATCH") == []


def reason(old: str, new: str, name: str = "max_connections") -> dict[str, dict[str, str]]:
    return {name: {"old_value": old, "new_value": new}}


@pytest.mark.parametrize(
    ("change", "order"),
    [
        (reason("200", "300"), ["b", "c", "a"]),
        (reason("200", "150"), ["a", "b", "c"]),
        (reason("1GB", "128MB", "shared_buffers"), ["b", "c", "a"]),
    ],
)
def test_replicas_restart_first_except_when_a_limit_of_theirs_is_lowered(
    change: Any, order: list[str]
) -> None:
    assert restart_order(dict.fromkeys("abc", change), "a") == order


T = topology()


def rollout_routes(own: str = "patroni_leader_pending_restart") -> Any:
    return {"GET /patroni": (200, recorded(own))}


def test_the_advice_says_what_must_restart_where_and_in_which_order() -> None:
    with serve(rollout_routes()) as server:
        rollout = pending_restarts(T, lambda _: PatroniClient(server.url))
    advice = restart_advice(T, rollout)
    assert advice.startswith("max_connections needs a restart of ")
    assert "`patronictl restart coolify_postgres postgres-node-2 --pending`" in advice


def test_members_that_run_with_the_new_value_have_taken_it() -> None:
    with serve(rollout_routes("patroni_leader")) as server:
        rollout = wait_taken(
            T,
            lambda _: PatroniClient(server.url),
            lambda node, names: {"work_mem": ("8192", "kB")},
            {"work_mem": {"old": None, "new": "8MB"}},
            0,
        )
    assert (rollout.reasons, rollout.late) == ({}, ())


def test_a_value_in_blocks_of_8kb_is_recognised() -> None:
    with serve(rollout_routes("patroni_leader")) as server:
        rollout = wait_taken(
            T,
            lambda _: PatroniClient(server.url),
            lambda node, names: {"wal_buffers": ("2048", "8kB")},
            {"wal_buffers": {"old": None, "new": "16MB"}},
            0,
        )
    assert rollout.late == ()


def test_a_member_with_the_old_value_is_late_and_named() -> None:
    with serve(rollout_routes("patroni_leader")) as server:
        rollout = wait_taken(
            T,
            lambda _: PatroniClient(server.url),
            lambda node, names: {"work_mem": ("4096" if node.name[-1] == "3" else "8192", "kB")},
            {"work_mem": {"old": None, "new": "8MB"}},
            0,
        )
    assert rollout.late == ("postgres-node-3 has not taken the new work_mem yet.",)


def test_a_restart_that_waits_for_an_older_value_is_not_taken_for_the_new_one() -> None:
    with serve(rollout_routes()) as server:
        rollout = wait_taken(
            T,
            lambda _: PatroniClient(server.url),
            lambda node, names: {},
            {"max_connections": {"old": 150, "new": 300}},
            0,
        )
    assert len(rollout.late) == 4
