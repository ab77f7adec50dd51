"""Where a backup is taken from."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.backup.sources import LARGEST_LAG, sources, why_not_a_replica
from pgha.deploy.fleet import Answer
from pgha.errors import FailedError
from tests.support.clusters import topology

HOSTS = ("app-server-1.lan", "app-server-2.lan", "controller.lan", "builder.lan")


def healthy() -> dict[str, dict[str, Any]]:
    replica = {"role": "replica", "state": "streaming", "timeline": 3, "lag_bytes": 500}
    states: dict[str, dict[str, Any]] = {host: dict(replica) for host in HOSTS}
    states["app-server-1.lan"] = {"role": "leader", "state": "running", "timeline": 3}
    return states


def chosen(states: dict[str, Any]) -> list[str]:
    answers = {
        host: Answer(value=state) if state else Answer(silent=True)
        for host, state in states.items()
    }
    return [source.node.host for source in sources(topology(), answers)]


def test_the_least_lagged_replica_first_and_the_leader_last() -> None:
    states = healthy()
    states["builder.lan"]["lag_bytes"] = 0
    assert chosen(states) == ["builder.lan", "controller.lan", "app-server-1.lan"]


def test_among_equals_the_one_that_needs_no_network() -> None:
    assert chosen(healthy())[0] == "controller.lan"


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "running"},
        {"state": "start failed"},
        {"timeline": 2},
        {"lag_bytes": LARGEST_LAG + 1},
        {"lag_bytes": None},
        {"role": None},
    ],
)
def test_an_unfit_replica_is_left_out(wrong: dict[str, Any]) -> None:
    states = healthy()
    states["controller.lan"].update(wrong)
    assert "controller.lan" not in chosen(states)


def test_only_the_leader_is_left_and_it_is_said_why() -> None:
    states: dict[str, Any] = {**healthy(), "app-server-2.lan": None, "controller.lan": None}
    states["builder.lan"]["state"] = "stopped"
    assert chosen(states) == ["app-server-1.lan"]
    answers = {"builder.lan": Answer(value=states["builder.lan"])}
    assert "builder.lan is replica, stopped" in why_not_a_replica(topology(), answers)
    assert "app-server-2.lan did not answer" in why_not_a_replica(topology(), answers)


def test_without_a_leader_a_replica_still_serves() -> None:
    states = {**healthy(), "app-server-1.lan": None}
    assert chosen(states)[0] == "controller.lan"


def test_nobody_can_be_read_from() -> None:
    with pytest.raises(FailedError, match=r"app-server-1\.lan did not answer.*builder\.lan did"):
        sources(topology(), {})
