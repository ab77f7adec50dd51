"""Every deploy notices a nightly clean-up that is on, and asks nothing when none is."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from pgha.deploy.cleanup import switch_cleanup_off
from pgha.deploy.deployment import Deployment
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet

CHANGE = {"nightly clean-up of builder.lan": {"old": "on", "new": "off"}}


def run_of(*cleanup: bool | None, test: bool = False) -> tuple[Deployment, FakeFleet]:
    """A deployment whose survey has seen these settings, one per node."""
    fleet = FakeFleet(
        {"coolify.cleanup_disable_all": {"changes": CHANGE, "advice": ["by hand"], "requests": 2}}
    )
    servers = {f"node-{n}": {"nightly_cleanup": value} for n, value in enumerate(cleanup)}
    survey: dict[str, Any] = {"servers": servers, "stacks": {}, "problems": []}
    run = Deployment(topology(), fleet, lambda what: nullcontext(), test=test, survey=survey)
    return run, fleet


@pytest.mark.parametrize("cleanup", [(), (False, False), (False, None)])
def test_nothing_is_asked_when_none_is_on(cleanup: tuple[bool | None, ...]) -> None:
    run, fleet = run_of(*cleanup)
    assert switch_cleanup_off(run) == ({}, [])
    assert fleet.asked == []


@pytest.mark.parametrize("test", [False, True])
def test_one_that_is_on_is_switched_off_and_reported(test: bool) -> None:
    run, fleet = run_of(False, True, test=test)
    assert switch_cleanup_off(run) == (CHANGE, ["by hand"])
    ((minions, function, keywords),) = fleet.asked
    assert (minions, function) == (("controller.lan",), "coolify.cleanup_disable_all")
    assert (keywords["test"], keywords["cluster"]) == (test, "coolify_postgres")
