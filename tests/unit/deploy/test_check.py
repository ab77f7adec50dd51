"""The check asks everybody, names every silent minion, and reports all problems at once."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from pgha.deploy.check import check
from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import Answer
from pgha.errors import FailedError, UnreachableError
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet
from tests.unit.deploy.test_preflight import fit

QUIET: dict[str, Any] = {
    "leader": "postgres-node-1", "pending": {}, "changes": {}, "version": "16.14", "error": None,
}  # fmt: skip
SURVEY: dict[str, Any] = {"stacks": {}, "problems": []}


def deployment(silent: tuple[str, ...] = (), **replies: Any) -> tuple[Deployment, FakeFleet]:
    fleet = FakeFleet(
        {
            "saltutil.sync_all": {},
            "saltutil.refresh_pillar": True,
            "postgres_node.clock": 100.1,
            "postgres_node.facts": fit(),
            "postgres_roll.outlook": QUIET,
            "coolify.survey": SURVEY,
            **replies,
        },
        silent,
    )
    return Deployment(topology(), fleet, step=lambda what: nullcontext()), fleet


def test_fit_cluster_is_looked_at_once() -> None:
    run, fleet = deployment()
    check(run)
    assert run.survey == SURVEY
    assert sorted(run.facts) == sorted(run.hosts)
    assert fleet.functions().count("coolify.survey") == 1


def test_silent_minions_are_all_named_before_anything_else_is_asked() -> None:
    run, fleet = deployment(silent=("app-server-2.lan", "builder.lan"))
    with pytest.raises(UnreachableError, match=r"app-server-2\.lan, builder\.lan"):
        check(run)
    assert fleet.functions() == ["saltutil.sync_all"]


def test_server_and_coolify_problems_come_together() -> None:
    run, _ = deployment(
        **{
            "postgres_node.facts": fit(free_bytes=0),
            "coolify.survey": {"stacks": {}, "problems": ["Coolify calls builder.lan unusable"]},
        }
    )
    with pytest.raises(FailedError) as raised:
        check(run)
    lines = str(raised.value).splitlines()
    assert len(lines) == 5
    assert lines[-1] == "Coolify calls builder.lan unusable"


def test_coolify_that_cannot_be_asked_is_a_problem_of_the_controller() -> None:
    run, _ = deployment(**{"coolify.survey": Answer(error="Coolify at http://x is down")})
    with pytest.raises(FailedError, match=r"controller\.lan: Coolify at http://x is down"):
        check(run)


def test_what_an_earlier_run_left_is_noted() -> None:
    reason = {"max_connections": {"old_value": "200", "new_value": "250"}}
    stack = {"current": True, "recreate_pending": True}
    run, _ = deployment(
        **{
            "postgres_node.facts": lambda minion, **kw: fit(
                stale=["etcd"] if minion == "builder.lan" else []
            ),
            "postgres_roll.outlook": {**QUIET, "pending": reason},
            "coolify.survey": {"stacks": {"c-n-router": stack}, "problems": []},
        }
    )
    check(run)
    assert (run.stale, run.pending, run.restarts) == ({"postgres-node-4"}, {"c-n-router"}, True)


def test_first_deploy_has_nothing_to_roll() -> None:
    run, _ = deployment(
        **{"postgres_roll.outlook": {**QUIET, "leader": None, "error": "no Patroni"}}
    )
    check(run)
    assert (run.stale, run.pending, run.restarts) == (set(), set(), False)


def test_another_major_version_is_refused_before_anything_is_touched() -> None:
    run, _ = deployment(**{"postgres_roll.outlook": {**QUIET, "version": "15.18"}})
    with pytest.raises(FailedError, match="postgresql_version is 16 and PostgreSQL 15 runs"):
        check(run)


def test_new_modules_are_loaded_before_they_are_used() -> None:
    def synced(minion: str, **_: Any) -> dict[str, list[str]]:
        return {"modules": ["modules.postgres_roll"] if minion == "builder.lan" else []}

    run, fleet = deployment(**{"saltutil.sync_all": synced, "saltutil.refresh_modules": True})
    check(run)
    minions, _, keywords = fleet.asked[1]
    assert minions == ("builder.lan",)
    assert keywords["async"] is False
