"""etcd_cluster.member_present: create, no change, conflict, in both modes, over a member list."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import pytest
from salt.exceptions import CommandExecutionError

from _modules import etcd_cluster as module
from _states import etcd_cluster as state

NODE = "postgres-node-4"


class Members:
    """Names in etcd; ``sticks`` is False when an addition gets lost."""

    def __init__(self) -> None:
        self.names: dict[str, bool] = {}
        self.sticks = True

    def changes(self, node: str, learner: bool = True, cluster: str | None = None) -> Any:
        if node in self.names:
            if self.names[node] != learner:
                raise CommandExecutionError(f"{node} is a voter in etcd.")
            return {}
        return {node: {"old": None, "new": {"kind": "learner" if learner else "voter"}}}

    def add(self, node: str, learner: bool = True, cluster: str | None = None) -> Any:
        if self.sticks:
            self.names[node] = learner
        return {"name": node}


@pytest.fixture(autouse=True, params=[False, True], ids=["for real", "test=True"])
def testmode(request: pytest.FixtureRequest) -> bool:
    mode: bool = request.param
    return mode


@pytest.fixture
def members() -> Members:
    return Members()


@pytest.fixture
def functions(members: Members) -> dict[str, Any]:
    return {
        "etcd_cluster.member_changes": create_autospec(
            module.member_changes, side_effect=members.changes
        ),
        "etcd_cluster.member_add": create_autospec(module.member_add, side_effect=members.add),
    }


@pytest.fixture
def configure_loader_modules(testmode: bool, functions: dict[str, Any]) -> dict[Any, Any]:
    return {state: {"__opts__": {"test": testmode}, "__salt__": functions}}


def test_a_missing_member_is_announced(members: Members, testmode: bool) -> None:
    ret = state.member_present(NODE)
    assert ret["result"] is (None if testmode else True)
    assert ret["changes"] == {NODE: {"old": None, "new": {"kind": "learner"}}}
    assert ("would have been" in ret["comment"]) is testmode
    assert members.names == ({} if testmode else {NODE: True})


def test_a_member_that_is_there_is_left_alone(members: Members, functions: Any) -> None:
    members.names[NODE] = True
    ret = state.member_present(NODE)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert not functions["etcd_cluster.member_add"].called


def test_a_conflict_is_one_sentence_and_removes_nothing(members: Members) -> None:
    members.names[NODE] = False
    ret = state.member_present(NODE, learner=True)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert ret["comment"] == f"{NODE} is a voter in etcd."
    assert members.names == {NODE: False}


def test_an_addition_that_gets_lost_is_a_failure(members: Members, testmode: bool) -> None:
    members.sticks = False
    ret = state.member_present(NODE)
    assert ret["result"] is (None if testmode else False)
    if not testmode:
        assert "does not list it" in ret["comment"]


def test_the_state_is_not_there_without_its_module(functions: Any) -> None:
    assert state.__virtual__() == "etcd_cluster"
    functions.clear()
    assert state.__virtual__() == (False, "the execution module etcd_cluster is not loaded")
