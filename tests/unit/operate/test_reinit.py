"""postgres.reinit on the master: begin once, watch, report; stop what copies for ever."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from pgha.errors import ConfigurationError, FailedError, NotFoundError
from pgha.operate import reinit as module
from pgha.operate.operation import Operation
from pgha.patroni import reinit as library
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet

NODE, HOST = "postgres-node-2", "app-server-2.lan"
BEGUN = {"leader": "postgres-node-1", "before": "09:00", "state": "streaming", "resumed": False}
DONE = {
    "node": NODE, "state": "running", "streams": True, "missing": None, "timeline": 3,
    "started": "09:30", "position": 1, "copied_bytes": None, "total_bytes": None,
}  # fmt: skip
COPYING = {**DONE, "state": "creating replica", "streams": False, "missing": "copies"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "INTERVAL_S", 0.001)


def operation(seen: list[dict[str, Any]], test: bool = False, **begun: Any) -> Operation:
    left = list(seen)
    fleet = FakeFleet(
        {
            "patroni.reinit": {**BEGUN, **begun},
            "patroni.reinit_progress": lambda minion, **kw: left.pop(0),
            "coolify.service_stop": True,
        }
    )
    return Operation(topology(), fleet, lambda what: nullcontext(), test=test)


def functions(run: Operation) -> list[str]:
    assert isinstance(run.fleet, FakeFleet)
    return run.fleet.functions()


def test_copy_is_begun_on_the_server_itself_and_watched() -> None:
    run = operation([{**DONE, "started": "09:00"}, COPYING, DONE])
    outcome = module.reinit(run, HOST)
    assert outcome.changes == {NODE: {"old": "streaming", "new": "a new copy of postgres-node-1"}}
    assert outcome.report[0].startswith(f"{NODE} made a new copy of postgres-node-1 and streams")
    assert functions(run) == ["patroni.reinit", *["patroni.reinit_progress"] * 3]
    assert run.fleet.asked[0][0] == (HOST,)  # type: ignore[attr-defined]


def test_interrupted_copy_is_watched_to_its_end() -> None:
    run = operation([DONE], resumed=True, before=None)
    assert "went on with" in module.reinit(run, NODE).report[0]


def test_plan_begins_nothing() -> None:
    run = operation([], test=True)
    assert module.reinit(run, NODE).changes
    assert functions(run) == ["patroni.reinit"]
    assert run.fleet.asked[0][2]["test"] is True  # type: ignore[attr-defined]


def test_no_node_and_an_unknown_one_name_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"Name one of postgres-node-1 \(app-server-1"):
        module.reinit(operation([]), None)
    with pytest.raises(NotFoundError, match="postgres-node-4"):
        module.reinit(operation([]), "postgres-node-9")


def test_copies_without_end_are_stopped() -> None:
    sizes = range(50, 0, -10)
    run = operation([{**COPYING, "copied_bytes": size, "total_bytes": 100} for size in sizes])
    with pytest.raises(FailedError, match="was stopped so that it does not copy for ever"):
        module.reinit(run, NODE)
    assert functions(run)[-1] == "coolify.service_stop"
