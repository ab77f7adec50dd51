"""postgres_db states: create, no change, change, failure, in both modes, over a dict."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import pytest
from salt.exceptions import CommandExecutionError

from _modules import postgres_db as module
from _states import postgres_db as state

CREATE = {"role app_user": {"old": None, "new": {"login": True, "password": "as declared"}}}
CHANGE = {"role app_user": {"password": {"old": "different", "new": "as declared"}}}


class Database:
    """What differs; applying removes it unless ``sticks`` is False."""

    def __init__(self) -> None:
        self.left: dict[str, Any] = {}
        self.sticks = True

    def changes(self, cluster: str | None = None) -> dict[str, Any]:
        return dict(self.left)

    def apply(self, cluster: str | None = None) -> dict[str, Any]:
        done = dict(self.left)
        if self.sticks:
            self.left = {}
        return done


@pytest.fixture(autouse=True, params=[False, True], ids=["for real", "test=True"])
def testmode(request: pytest.FixtureRequest) -> bool:
    mode: bool = request.param
    return mode


@pytest.fixture(params=["roles", "databases"])
def present(request: pytest.FixtureRequest) -> Any:
    return {"roles": state.roles_present, "databases": state.databases_present}[request.param]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def functions(database: Database) -> dict[str, Any]:
    changes = {"role_changes": module.role_changes, "database_changes": module.database_changes}
    applying = {"apply_roles": module.apply_roles, "apply_databases": module.apply_databases}
    return {
        **{
            f"postgres_db.{name}": create_autospec(function, side_effect=database.changes)
            for name, function in changes.items()
        },
        **{
            f"postgres_db.{name}": create_autospec(function, side_effect=database.apply)
            for name, function in applying.items()
        },
    }


@pytest.fixture
def configure_loader_modules(testmode: bool, functions: dict[str, Any]) -> dict[Any, Any]:
    return {state: {"__opts__": {"test": testmode}, "__salt__": functions}}


@pytest.mark.parametrize("difference", [CREATE, CHANGE], ids=["create", "change"])
def test_a_difference_is_removed(
    present: Any, database: Database, testmode: bool, difference: dict[str, Any]
) -> None:
    database.left = difference
    ret = present("db")
    assert ret["result"] is (None if testmode else True)
    assert ret["changes"] == difference
    assert ("would have been changed" in ret["comment"]) is testmode
    assert bool(database.left) is testmode


def test_no_difference_changes_nothing(present: Any, functions: Any) -> None:
    ret = present("db")
    assert (ret["result"], ret["changes"]) == (True, {})
    assert not any(function.called for name, function in functions.items() if ".apply" in name)


def test_a_difference_that_stays_is_a_failure(
    present: Any, database: Database, testmode: bool
) -> None:
    database.left, database.sticks = CHANGE, False
    ret = present("db")
    assert ret["result"] is (None if testmode else False)
    if not testmode:
        assert ret["comment"] == "After the change role app_user still differ(s)."


def test_an_error_is_one_sentence_and_no_exception(present: Any, functions: Any) -> None:
    for function in functions.values():
        function.side_effect = CommandExecutionError("a is a replica.")
    ret = present("db")
    assert (ret["result"], ret["changes"], ret["comment"]) == (False, {}, "a is a replica.")


def test_the_state_is_not_there_without_its_module(functions: Any) -> None:
    assert state.__virtual__() == "postgres_db"
    functions.clear()
    assert state.__virtual__() == (False, "the execution module postgres_db is not loaded")
