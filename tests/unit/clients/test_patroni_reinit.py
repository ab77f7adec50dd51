"""Who may be built anew, how far the copy is, and when enough is enough."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import FailedError, RefusedError, UnreachableError
from pgha.patroni.reinit import (
    MOST_COPIES,
    STALL_S,
    CopiesFailedError,
    Watch,
    observe,
    percent_of,
    plan,
    require_room,
)
from pgha.pg.basebackup import Copy
from pgha.wait import Pending
from tests.support.clusters import topology
from tests.unit.clients.patroni_members import LEADER, OTHER, REPLICA, Members, line, own

CLUSTER = topology()
NODE = CLUSTER.node(REPLICA)


def planned(members: Members, name: str = REPLICA, confirm: str | None = None) -> Any:
    return plan(CLUSTER, CLUSTER.node(name), members.client_for, confirm)


def test_a_replica_is_built_anew_from_the_leader() -> None:
    begun = planned(Members())
    assert (begun.leader, begun.before, begun.state, begun.resumed) == (
        LEADER, "09:00", "streaming", False,
    )  # fmt: skip


def test_a_leader_is_refused_by_its_own_word_and_by_etcds() -> None:
    with pytest.raises(RefusedError, match=r"is the leader.*switch over"):
        planned(Members(), LEADER)
    split = Members(lines=[line(LEADER, state="running"), line(REPLICA), line(OTHER)])
    split.own[REPLICA] = own(REPLICA, role="primary")
    with pytest.raises(RefusedError, match="is the leader"):
        planned(split)


def test_nobody_to_copy_from_and_a_paused_cluster_are_refused() -> None:
    with pytest.raises(RefusedError, match="no running leader"):
        planned(Members(lines=[line(REPLICA), line(OTHER)]))
    with pytest.raises(RefusedError, match="patronictl resume"):
        planned(Members(paused=True))


def test_the_last_replica_needs_the_clusters_name() -> None:
    alone = Members(lines=[line(LEADER), line(REPLICA), line(OTHER, state="stopped")])
    for typed in (None, "yes"):
        with pytest.raises(RefusedError, match="CONFIRM=coolify_postgres"):
            planned(alone, confirm=typed)
    assert planned(alone, confirm="coolify_postgres").leader == LEADER


def test_a_hung_postgresql_is_no_obstacle() -> None:
    members = Members()
    members.own[REPLICA] = UnreachableError("did not answer")
    assert planned(members).before is None


def test_a_copy_under_way_is_resumed_even_when_it_leaves_no_other_replica() -> None:
    members = Members(lines=[line(LEADER), line(REPLICA, state="creating replica")])
    members.own[REPLICA] = own(REPLICA, state="creating replica")
    assert planned(members).resumed is True


def test_a_copy_that_does_not_fit_is_refused_with_the_sizes() -> None:
    require_room(NODE, needed=1000, free=600, reclaimed=500)
    with pytest.raises(RefusedError, match=r"app-server-2\.lan has room for 1\.0 GiB.*2\.2 GiB"):
        require_room(NODE, needed=2 * 1024**3, free=1024**3, reclaimed=0)


def seen(members: Members, copy: Copy | None = None) -> dict[str, Any]:
    return observe(CLUSTER, NODE, members.client_for, lambda leader: copy or Copy())


def test_observation_of_a_copy_and_of_a_streaming_replica() -> None:
    copying = Members(lines=[line(LEADER), line(REPLICA, state="creating replica")])
    copying.own[REPLICA] = own(REPLICA, state="creating replica", replication_state=None)
    shown = seen(copying, Copy(40, 100))
    assert (shown["streams"], shown["copied_bytes"], shown["total_bytes"]) == (False, 40, 100)
    assert seen(Members())["streams"] is True


def test_etcds_stale_word_for_a_stopped_replica_is_not_believed() -> None:
    members = Members()
    members.own[REPLICA] = own(REPLICA, state="stopped")
    assert seen(members)["streams"] is False


def test_a_replica_that_cannot_be_asked_is_told_so() -> None:
    members = Members()
    members.own[REPLICA] = UnreachableError("Patroni on app-server-2.lan cannot be reached.")
    assert "cannot be reached" in seen(members)["missing"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def copying(copied: int | None, total: int | None = 100) -> dict[str, Any]:
    return {
        "node": REPLICA, "state": "creating replica", "streams": False, "missing": "copies",
        "started": None, "position": None, "copied_bytes": copied, "total_bytes": total,
    }  # fmt: skip


DONE = {**copying(None), "state": "running", "streams": True, "missing": None, "started": "09:30"}


def test_only_a_postgresql_started_since_then_is_the_copy() -> None:
    watch = Watch("09:00")
    assert isinstance(watch.judge({**DONE, "started": "09:00"}), Pending)
    assert watch.judge(DONE) == DONE


def test_percent_is_told_at_every_tenth() -> None:
    told: list[str] = []
    watch = Watch("09:00", told.append)
    for copied in (0, 3, 12, 18, 55, 120):
        watch.judge(copying(copied))
    assert [text.split()[3] for text in told] == ["0", "12", "55", "100"]


def test_percent_of_an_unknown_total_is_unknown() -> None:
    assert (percent_of(None, 10), percent_of(5, None), percent_of(5, 0)) == (None, None, None)


def test_copies_that_begin_again_and_again_end_the_wait() -> None:
    watch = Watch("09:00")
    for copied in (50, 40, 30)[:MOST_COPIES]:
        assert isinstance(watch.judge(copying(copied)), Pending)
    with pytest.raises(CopiesFailedError, match="pgha-logs patroni"):
        watch.judge(copying(20))


def test_a_copy_that_fails_at_once_again_and_again_counts_as_standing_still() -> None:
    clock = Clock()
    watch = Watch("09:00", clock=clock)
    for state in ("creating replica", "stopped") * 2:
        watch.judge({**copying(None), "state": state})
    clock.now = STALL_S + 1
    with pytest.raises(FailedError, match=f"{STALL_S} s"):
        watch.judge({**copying(None), "state": "creating replica"})


def test_progress_after_a_long_silence_goes_on() -> None:
    clock = Clock()
    watch = Watch("09:00", clock=clock)
    watch.judge(copying(1))
    clock.now = STALL_S - 1
    watch.judge(copying(2))
    clock.now = 2 * STALL_S - 2
    assert isinstance(watch.judge(copying(2)), Pending)
