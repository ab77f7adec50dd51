"""A member counts as back only by what it says itself, after its restart."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import RefusedError, TimedOutError, UnreachableError
from pgha.patroni.gate import wait_ready
from pgha.patroni.restart import restart_pending
from tests.support.clusters import topology
from tests.unit.clients.patroni_members import LEADER, OTHER, REPLICA, Members, line, own

CLUSTER = topology()
PENDING = {"max_connections": {"old_value": "200", "new_value": "250"}}


def ready(members: Members, name: str = REPLICA, before: str | None = None) -> dict[str, Any]:
    return wait_ready(CLUSTER, CLUSTER.node(name), members.client_for, 0, before)


def test_streaming_replica_and_writing_leader_are_ready() -> None:
    assert ready(Members())["role"] == "replica"
    assert ready(Members(), LEADER)["role"] == "leader"


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        (REPLICA, {"state": "starting"}, "is starting"),
        (REPLICA, {"replication_state": None}, "does not stream"),
        (REPLICA, {"timeline": 1}, "timeline 1, the leader 2"),
        (REPLICA, {"xlog": {"replayed_location": -(2**21)}}, "bytes behind"),
        (LEADER, {"state": "stopped"}, "is stopped"),
    ],
)
def test_anything_else_is_not_ready_and_says_why(
    name: str, changes: dict[str, Any], reason: str
) -> None:
    members = Members()
    members.own[name] = own(name, **changes)
    with pytest.raises(TimedOutError, match=reason):
        ready(members, name)


def test_the_postgresql_from_before_the_restart_does_not_count() -> None:
    with pytest.raises(TimedOutError, match="not been restarted yet"):
        ready(Members(), before="09:00")


def test_a_replica_without_a_leader_is_not_ready() -> None:
    with pytest.raises(TimedOutError, match="no leader to follow"):
        ready(Members(lines=[line(REPLICA), line(OTHER)]))


class Restarting(Members):
    """Each restart gives a member a new start time and no pending parameter."""

    def client_for(self, node: Any) -> Any:
        client = super().client_for(node)
        if node.name in self.posted:
            self.own[node.name] = own(node.name, postmaster_start_time="09:30")
        return client


def restarted(members: Members) -> dict[str, Any] | None:
    return restart_pending(CLUSTER, CLUSTER.node(REPLICA), members.client_for, 0)


def waiting(**more: Any) -> Restarting:
    members = Restarting(**more)
    members.own[REPLICA] = own(REPLICA, pending_restart=True, pending_restart_reason=PENDING)
    return members


def test_member_that_waits_is_restarted_and_seen_back() -> None:
    members = waiting()
    back = restarted(members)
    assert back
    assert (back["pending_restart_reason"], members.posted) == ({}, [REPLICA])


def test_member_that_does_not_wait_is_left_alone() -> None:
    members = Restarting()
    assert restarted(members) is None
    assert members.posted == []


@pytest.mark.parametrize(
    "answer",
    [
        UnreachableError("did not answer within 5 s"),
        RefusedError("answered 503 to POST /restart: restart already in progress"),
    ],
)
def test_silence_and_a_restart_under_way_are_waited_for(answer: Any) -> None:
    assert restarted(waiting(answers={REPLICA: answer})) is not None


def test_a_refusal_is_an_error() -> None:
    refusal = RefusedError("answered 401 to POST /restart")
    with pytest.raises(RefusedError, match="401"):
        restarted(waiting(answers={REPLICA: refusal}))
