"""Every state in both modes: create, no change, change, test mode.

The execution functions are autospecced on the real ones and backed by the dictionary `world`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest
from salt.exceptions import CommandExecutionError

from _states import coolify as state
from tests.support.verbs import verbs_of

World = dict[str, Any]
Ret = dict[str, Any]


@pytest.fixture(autouse=True, params=[False, True], ids=["for real", "test=True"])
def testmode(request: pytest.FixtureRequest) -> bool:
    mode: bool = request.param
    return mode


@pytest.fixture
def world() -> World:
    return {
        "projects": set(),
        "environments": set(),
        "services": {},
        "live": {},
        "cleanup": {"builder.lan"},
        "stacks": {},
        "pending": [],
        "clients": set(),
    }


class Coolify:
    """The execution module over a dictionary."""

    def __init__(self, world: World) -> None:
        self.world = world

    def project(self, name=None, cluster=None):
        return {"uuid": "p", "name": name} if name in self.world["projects"] else None

    def project_create(self, name=None, cluster=None):
        self.world["projects"].add(name)

    def environment(self, name=None, project=None, cluster=None):
        key = (project, name)
        return {"uuid": "e", "name": name} if key in self.world["environments"] else None

    def environment_create(self, name=None, project=None, cluster=None):
        self.world["environments"].add((project, name))

    def services(self, environment=None, cluster=None):
        return [{"uuid": "u", "name": name} for name in self.world["services"]]

    def service_put(self, name, server, compose, apply_changes=False, test=False, cluster=None):
        old = self.world["services"].get(name)
        outcome = {"changes": {}, "started": [], "recreated": [], "pending_recreate": []}
        if old != compose:
            outcome["changes"] = {name: {"old": old, "new": compose}}
            if old is not None:
                outcome["recreated" if apply_changes else "pending_recreate"].append(name)
            if not test:
                self.world["services"][name] = compose
        return outcome

    def service_delete(self, name, cluster=None):
        del self.world["services"][name]

    def service_start(self, name, cluster=None):
        self.world["live"][name] = dict.fromkeys(self.world["live"][name], True)

    def stack_status(self, name=None, live=False, cluster=None):
        return {"live": self.world["live"][name]}

    def cleanup(self, server, cluster=None):
        return server in self.world["cleanup"]

    def cleanup_disable(self, server, cluster=None):
        self.world["cleanup"].discard(server)

    def converge(
        self,
        cluster=None,
        components=None,
        nodes=None,
        not_running=(),
        apply_changes=False,
        test=False,
    ):
        wanted = {f"c-n-{component}": "new" for component in components or ("etcd", "router")}
        changes = {
            name: {"old": self.world["stacks"].get(name), "new": text}
            for name, text in wanted.items()
            if self.world["stacks"].get(name) != text
        }
        new = [name for name in changes if name not in self.world["stacks"]]
        if not test:
            self.world["stacks"].update(wanted)
        return {
            "changes": changes,
            "started": [*new, *not_running],
            "recreated": [],
            "pending_recreate": self.world["pending"],
        }

    def tag_clients(self, cluster=None, restart=False, test=False):
        missing = {"shop"} - self.world["clients"]
        if not test:
            self.world["clients"] |= missing
        return {
            "changes": {name: {"old": None, "new": "extra_hosts"} for name in missing},
            "comments": [f"Redeploy in Coolify: {name}." for name in missing],
        }


@pytest.fixture
def functions(world: World) -> dict[str, Mock]:
    real, module = Coolify(world), verbs_of("coolify")
    return {
        f"coolify.{name}": create_autospec(getattr(module, name), side_effect=getattr(real, name))
        for name in dir(real)
        if not name.startswith("_") and name != "world"
    }


@pytest.fixture
def configure_loader_modules(testmode: bool, functions: dict[str, Mock]) -> dict[Any, Any]:
    return {state: {"__opts__": {"test": testmode}, "__salt__": functions}}


def project(world: World) -> Ret:
    return state.project_present("databases")


def environment(world: World) -> Ret:
    return state.environment_present("staging", project="databases")


def service(world: World) -> Ret:
    return state.service_present("web", "builder.lan", "new")


def absent(world: World) -> Ret:
    return state.service_absent("old-web")


def running(world: World) -> Ret:
    return state.service_running("web")


def cleanup(world: World) -> Ret:
    return state.cleanup_disabled("builder.lan")


def stacks(world: World) -> Ret:
    return state.stacks_running("etcd")


def hostname(world: World) -> Ret:
    return state.hostname_known("tagged services know the hostname")


def deploy_old(world: World) -> None:
    world["services"]["old-web"] = "x"
    world["live"]["web"] = {"a": True, "b": False}


ALL = [project, environment, service, absent, running, cleanup, stacks, hostname]
CREATE = [
    (project, "project databases", {"old": None, "new": "databases"}),
    (environment, "environment staging", {"old": None, "new": "staging"}),
    (service, "web", {"old": None, "new": "new"}),
    (absent, "old-web", {"old": "u", "new": None}),
    (running, "web", {"old": "not running: b", "new": "start queued"}),
    (cleanup, "nightly clean-up of builder.lan", {"old": "on", "new": "off"}),
    (stacks, "c-n-etcd", {"old": None, "new": "new"}),
    (hostname, "shop", {"old": None, "new": "extra_hosts"}),
]


@pytest.mark.parametrize(
    ("apply", "key", "change"), CREATE, ids=lambda value: getattr(value, "__name__", "")
)
def test_what_is_missing_is_made_and_test_mode_says_the_same(
    apply: Callable[[World], Ret], key: str, change: Any, world: World, testmode: bool
) -> None:
    deploy_old(world)
    before = repr(world)
    ret = apply(world)
    assert ret["changes"] == {key: change}
    assert ret["result"] is (None if testmode else True)
    assert ("would have been" in ret["comment"]) is testmode
    assert (repr(world) == before) is testmode


@pytest.mark.parametrize("apply", ALL)
def test_a_second_run_changes_nothing(
    apply: Callable[[World], Ret], world: World, testmode: bool
) -> None:
    deploy_old(world)
    if testmode:
        world["projects"] = {"databases"}
        world["environments"] = {("databases", "staging")}
        world["services"] = {"web": "new"}
        world["live"]["web"] = {"a": True, "b": True}
        world["cleanup"] = set()
        world["stacks"] = {"c-n-etcd": "new"}
        world["clients"] = {"shop"}
    else:
        apply(world)
    ret = apply(world)
    assert ret["result"] is True
    assert ret["changes"] == {}


@pytest.mark.parametrize("apply", [service, stacks])
def test_a_change_is_reported_with_old_and_new(
    apply: Callable[[World], Ret], world: World, testmode: bool
) -> None:
    world["services"]["web"] = "old"
    world["stacks"]["c-n-etcd"] = "old"
    ret = apply(world)
    assert list(ret["changes"].values()) == [{"old": "old", "new": "new"}]
    assert ret["result"] is (None if testmode else True)


def test_a_service_that_was_never_parsed_is_started(world: World) -> None:
    world["live"]["web"] = {}
    assert state.service_running("web")["changes"]["web"]["old"] == "not running: all"


def test_a_stopped_stack_is_started(world: World, testmode: bool) -> None:
    world["stacks"] = {"c-n-etcd": "new"}
    ret = state.stacks_running("x", components=["etcd"], not_running=["c-n-etcd"])
    assert ret["changes"] == {"c-n-etcd": {"old": "not running", "new": "start queued"}}
    assert ret["result"] is (None if testmode else True)


def test_all_arguments_reach_converge(functions: dict[str, Mock]) -> None:
    state.stacks_running("x", ["router"], ["n"], ["c-n-router"], True, "c")
    assert functions["coolify.converge"].call_args_list[0].kwargs == {
        "cluster": "c",
        "components": ["router"],
        "nodes": ["n"],
        "not_running": ["c-n-router"],
        "apply_changes": True,
        "test": True,
    }


def test_what_waits_for_a_recreation_is_in_the_comment(world: World) -> None:
    world["stacks"] = {"c-n-etcd": "new"}
    world["pending"] = ["c-n-etcd"]
    assert "to be recreated: c-n-etcd" in state.stacks_running("etcd")["comment"]


def test_who_has_to_redeploy_is_in_the_comment() -> None:
    assert "Redeploy in Coolify: shop." in hostname({})["comment"]


@pytest.mark.parametrize(
    ("apply", "deaf"),
    [
        (project, "project_create"),
        (environment, "environment_create"),
        (absent, "service_delete"),
        (cleanup, "cleanup_disable"),
    ],
)
def test_a_write_that_did_not_stick_is_a_failure(
    apply: Callable[[World], Ret],
    deaf: str,
    world: World,
    functions: dict[str, Mock],
    testmode: bool,
) -> None:
    deploy_old(world)
    functions[f"coolify.{deaf}"].side_effect = None
    ret = apply(world)
    assert ret["result"] is (None if testmode else False)
    assert testmode or "still differs" in ret["comment"]


def test_a_failure_on_looking_has_no_changes(functions: dict[str, Mock]) -> None:
    functions["coolify.converge"].side_effect = CommandExecutionError("Coolify is down.")
    ret = state.stacks_running("etcd")
    assert (ret["result"], ret["changes"], ret["comment"]) == (False, {}, "Coolify is down.")


def test_a_failure_half_way_reports_what_was_done(
    world: World, functions: dict[str, Mock], testmode: bool
) -> None:
    real = functions["coolify.converge"].side_effect

    def half(**words: Any) -> Any:
        if words["test"]:
            return real(**words)
        world["stacks"]["c-n-etcd"] = "new"
        raise CommandExecutionError("Coolify refused the second one.")

    functions["coolify.converge"].side_effect = half
    ret = state.stacks_running("both")
    if testmode:
        assert ret["result"] is None
    else:
        assert ret["result"] is False
        assert list(ret["changes"]) == ["c-n-etcd"]
        assert ret["comment"] == "Coolify refused the second one."


def test_the_states_need_their_module(functions: dict[str, Mock]) -> None:
    assert state.__virtual__() == "coolify"
    del functions["coolify.converge"]
    assert state.__virtual__() == (False, "the execution module coolify is not loaded")
