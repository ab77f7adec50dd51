"""Who may become leader, and the reason of each that may not."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import RefusedError
from pgha.operate.candidates import choose, for_failover, for_switchover, is_paused, leaders
from tests.support.clusters import topology

LEADER, SECOND, THIRD, FOURTH = topology().nodes


def view(**changes: Any) -> dict[str, Any]:
    """A healthy replica's standing."""
    return {
        "role": "replica", "state": "streaming", "timeline": 4, "lag_bytes": 0, "error": None,
        "paused": False, "nofailover": False, "wal_position": 1000, "replicas": {},
    } | changes  # fmt: skip


def views(**changes: dict[str, Any] | None) -> dict[str, Any]:
    """The standings of a healthy cluster; ``second={...}`` changes one node's, None silences it."""
    lags = {SECOND.name: 300, THIRD.name: 100, FOURTH.name: 100}
    found: dict[str, Any] = {
        "leader": view(role="leader", state="running", replicas=lags),
        "second": view(), "third": view(), "fourth": view(),
    }  # fmt: skip
    for name, change in changes.items():
        found[name] = None if change is None else found[name] | change
    return dict(zip((node.host for node in topology().nodes), found.values(), strict=True))


def reason(changes: dict[str, Any] | None, **settings: Any) -> str | None:
    """Why the second node may not lead."""
    cluster = topology(**settings)
    return for_switchover(cluster, LEADER, views(second=changes))[0].reason


def test_the_smallest_lag_wins_and_the_declared_order_decides_between_equals() -> None:
    assert choose(for_switchover(topology(), LEADER, views())).node == THIRD
    chosen = choose(for_switchover(topology(), LEADER, views()), SECOND)
    assert (chosen.node, chosen.lag_bytes) == (SECOND, 300)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (None, "its minion does not answer"),
        ({"error": "Patroni on app-server-2.lan did not answer."}, "Patroni on app-server-2.lan"),
        ({"nofailover": True}, "it carries the tag nofailover"),
        ({"state": "starting"}, "its PostgreSQL is starting"),
        ({"state": "running"}, "it is running, not streaming"),
        ({"timeline": 3}, "it is on timeline 3, the leader on 4"),
    ],
)
def test_an_unfit_node_has_a_reason(changes: dict[str, Any] | None, expected: str) -> None:
    assert expected in str(reason(changes))


def test_the_lag_is_what_the_leader_measures_now_not_what_etcd_remembers() -> None:
    assert reason({"lag_bytes": 99_000_000}) is None
    lags = {SECOND.name: 2_000_000, THIRD.name: None}
    behind = for_switchover(topology(), LEADER, views(leader={"replicas": lags}))
    assert [candidate.reason for candidate in behind] == [
        "it is 2000000 bytes behind, more than patroni_maximum_lag_on_failover (1048576)",
        "its lag is unknown",
        "it does not stream from the leader",
    ]


def test_in_synchronous_mode_only_a_synchronous_replica_may_lead() -> None:
    on = {"postgresql_synchronous_mode": "on"}
    assert "no synchronous replica" in str(reason({}, **on))
    assert reason({"role": "sync_standby"}, **on) is None
    assert "no synchronous replica" in str(reason({"role": "quorum_standby"}, **on))
    assert reason({"role": "quorum_standby"}, postgresql_synchronous_mode="quorum") is None


def test_when_nobody_may_lead_each_reason_is_told() -> None:
    nobody = views(second=None, third={"nofailover": True}, fourth={"timeline": 3})
    with pytest.raises(RefusedError) as caught:
        choose(for_switchover(topology(), LEADER, nobody))
    for text in ("postgres-node-2 (app-server-2.lan): its minion", "nofailover", "timeline 3"):
        assert text in str(caught.value)
    with pytest.raises(RefusedError, match=r"postgres-node-4.*cannot become leader"):
        choose(for_switchover(topology(), LEADER, nobody), FOURTH)


def test_after_the_leaders_death_the_survivor_with_the_most_wal_leads() -> None:
    survivors = views(leader=None, second={"wal_position": 5}, third={"state": "running"})
    candidates = for_failover(topology(), survivors)
    assert candidates[0].reason == "its minion does not answer"
    assert choose(candidates).node == THIRD
    old = {"error": "Patroni there does not answer.", "role": "leader"}
    assert for_failover(topology(), views(leader=old))[0].reason == "Patroni there does not answer"


def test_a_leader_is_who_says_so_itself_and_runs() -> None:
    assert leaders(topology(), views()) == [LEADER]
    assert leaders(topology(), views(leader={"state": "unknown", "error": "frozen"})) == []
    assert is_paused(views(fourth={"paused": True}))
    assert not is_paused(views(fourth=None))
