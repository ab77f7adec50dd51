"""patroni.config_present: change, no change, failure, in both modes, over a remembering Patroni."""

from __future__ import annotations

import copy
from typing import Any
from unittest.mock import create_autospec

import pytest
from salt.exceptions import CommandExecutionError

from _modules import patroni_config as module
from _states import patroni as state
from pgha.patroni.dynamic import plan_config

DECLARED = {"ttl": 30, "postgresql": {"parameters": {"work_mem": "8MB"}}}
KEY = "postgresql.parameters.work_mem"


class Patroni:
    """The configuration in etcd, and what the members say after a change."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = copy.deepcopy(DECLARED)
        self.taken: dict[str, Any] = {"pending_restart": {}, "advice": "", "late": []}
        self.sticks = True

    def changes(self, cluster: str | None = None) -> dict[str, Any]:
        return plan_config(self.config, DECLARED).changes

    def apply(self, cluster: str | None = None) -> dict[str, Any]:
        changes = self.changes()
        if self.sticks:
            self.config = copy.deepcopy(DECLARED)
        return changes


@pytest.fixture(autouse=True, params=[False, True], ids=["for real", "test=True"])
def testmode(request: pytest.FixtureRequest) -> bool:
    mode: bool = request.param
    return mode


@pytest.fixture
def patroni() -> Patroni:
    return Patroni()


@pytest.fixture
def functions(patroni: Patroni) -> dict[str, Any]:
    rollout = create_autospec(module.config_rollout, side_effect=lambda **_: patroni.taken)
    return {
        "patroni.config_changes": create_autospec(
            module.config_changes, side_effect=patroni.changes
        ),
        "patroni.config_apply": create_autospec(module.config_apply, side_effect=patroni.apply),
        "patroni.config_rollout": rollout,
    }


@pytest.fixture
def configure_loader_modules(testmode: bool, functions: dict[str, Any]) -> dict[Any, Any]:
    return {state: {"__opts__": {"test": testmode}, "__salt__": functions}}


def test_a_difference_is_removed(patroni: Patroni, functions: Any, testmode: bool) -> None:
    patroni.config["postgresql"]["parameters"]["work_mem"] = "4MB"
    ret = state.config_present("config")
    assert ret["result"] is (None if testmode else True)
    assert ret["changes"] == {KEY: {"old": "4MB", "new": "8MB"}}
    assert ("would have been changed" in ret["comment"]) is testmode
    assert (patroni.config == DECLARED) is not testmode
    assert functions["patroni.config_apply"].called is not testmode
    waited_for = functions["patroni.config_rollout"].call_args.kwargs["changes"]
    assert waited_for == ({} if testmode else ret["changes"])


def test_no_difference_changes_nothing(functions: Any) -> None:
    ret = state.config_present("config")
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == "The dynamic configuration is as declared."
    assert not functions["patroni.config_apply"].called


def test_members_that_must_restart_are_named_in_every_run(patroni: Patroni) -> None:
    patroni.taken["advice"] = "max_connections needs a restart of a."
    assert "needs a restart of a" in state.config_present("config")["comment"]


def test_members_that_are_behind_are_named(patroni: Patroni) -> None:
    patroni.taken["late"] = ["a has not taken the new work_mem yet."]
    ret = state.config_present("config")
    assert ret["result"] is True
    assert ret["comment"].endswith("a has not taken the new work_mem yet.")


def test_a_change_that_does_not_stick_is_a_failure(patroni: Patroni, testmode: bool) -> None:
    patroni.config["ttl"], patroni.sticks = 20, False
    ret = state.config_present("config")
    assert ret["result"] is (None if testmode else False)
    assert ret["changes"] == {"ttl": {"old": 20, "new": 30}}
    if not testmode:
        assert ret["comment"] == "After the change ttl still differ(s)."


def test_an_error_is_one_sentence_and_no_exception(functions: Any) -> None:
    functions["patroni.config_changes"].side_effect = CommandExecutionError("Patroni is away.")
    ret = state.config_present("config")
    assert (ret["result"], ret["changes"], ret["comment"]) == (False, {}, "Patroni is away.")


def test_the_state_is_not_there_without_its_module(functions: Any) -> None:
    assert state.__virtual__() == "patroni"
    del functions["patroni.config_apply"]
    assert state.__virtual__() == (False, "the execution module patroni is not loaded")
