from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import ConflictError, TimedOutError, UnreachableError
from pgha.etcd.health import cluster_status
from pgha.etcd.membership import add_member, plan_member, remove_member, wait_quorum
from pgha.etcd.models import to_hex
from tests.support.clusters import nodes_of, topology
from tests.unit.clients.etcd_gateway import (
    EXISTS,
    NO_QUORUM,
    NOT_YET,
    Gateway,
    cluster_of,
    member,
    voters,
)

T = topology()
LEARNER = T.node(T.learners[0])
VOTER = T.node(T.voters[0])


def test_a_healthy_cluster_may_lose_one_of_three_voters() -> None:
    with cluster_of(Gateway(voters(T)), T) as client_for:
        status = cluster_status(T, VOTER, client_for)
    assert status["healthy"]
    assert status["error"] is None
    numbers = ("voters", "healthy_voters", "quorum", "failure_tolerance")
    assert [status[key] for key in numbers] == [3, 3, 2, 1]
    assert [line["name"] for line in status["members"]] == sorted(T.voters)


def test_one_silent_voter_uses_up_the_tolerance_and_others_stay_healthy() -> None:
    with cluster_of(Gateway(voters(T)), T, silent=[T.voters[1]]) as client_for:
        status = cluster_status(T, VOTER, client_for)
        silent = cluster_status(T, T.node(T.voters[1]), client_for)
    assert (status["healthy"], status["failure_tolerance"], status["error"]) == (True, 0, None)
    assert not silent["healthy"]
    assert "cannot be reached" in silent["error"]


def test_a_learner_is_not_counted_as_a_voter() -> None:
    members = [*voters(T), member(T, LEARNER.name, 44, isLearner=True)]
    with cluster_of(Gateway(members), T) as client_for:
        assert cluster_status(T, LEARNER, client_for)["voters"] == 3


def test_a_node_without_etcd_is_healthy_as_long_as_a_voter_serves_it() -> None:
    big = topology(postgresql_nodes=nodes_of(9))
    client = big.node(big.etcd_clients[0])
    with cluster_of(Gateway(voters(big)), big, silent=big.voters[1:]) as client_for:
        served = cluster_status(big, client, client_for)
    with cluster_of(Gateway(voters(big)), big, silent=big.voters) as client_for:
        alone = cluster_status(big, client, client_for)
    assert (served["healthy"], served["is_client"], served["endpoint"]) == (True, True, None)
    assert not alone["healthy"]
    assert alone["error"].startswith("no etcd voter serves server-9.lan: ")


def test_lost_quorum_is_seen_although_every_member_answers() -> None:
    gateway = Gateway(voters(T))
    gateway.quorum = False
    with cluster_of(gateway, T) as client_for:
        status = cluster_status(T, VOTER, client_for)
        assert not status["healthy"]
        assert status["failure_tolerance"] == -2
        assert "has no quorum" in status["error"]
        with pytest.raises(TimedOutError, match="2 of 3 etcd voters"):
            wait_quorum(T, client_for, 0)
        with pytest.raises(UnreachableError, match="No etcd voter of coolify_postgres"):
            plan_member(T, LEARNER, True, client_for)


def test_the_quorum_can_be_had_while_all_voters_cannot() -> None:
    with cluster_of(Gateway(voters(T)), T, silent=[T.voters[2]]) as client_for:
        assert wait_quorum(T, client_for, 0) == list(T.voters[:2])
        with pytest.raises(TimedOutError, match="cannot be reached"):
            wait_quorum(T, client_for, 0, voters=3)


def test_a_new_learner_is_announced_at_its_peer_address() -> None:
    gateway = Gateway(voters(T))
    with cluster_of(gateway, T) as client_for:
        plan = plan_member(T, LEARNER, True, client_for)
        url = f"https://{LEARNER.ip}:2380"
        assert plan.changes == {
            LEARNER.name: {"old": None, "new": {"peer_url": url, "kind": "learner"}}
        }
        add_member(T, LEARNER, True, client_for)
        assert plan_member(T, LEARNER, True, client_for).changes == {}
    assert gateway.members[-1] == {
        "ID": "16241251467663259837",
        "peerURLs": [url],
        "isLearner": True,
    }


@pytest.mark.parametrize("answer", [NOT_YET, NO_QUORUM])
def test_etcd_that_does_not_want_its_members_changed_yet_is_asked_again(answer: Any) -> None:
    gateway = Gateway(voters(T))
    gateway.first["add"] = [answer]
    with cluster_of(gateway, T) as client_for:
        assert add_member(T, LEARNER, True, client_for, 10).learner
    assert len(gateway.members) == 4


def test_an_addition_that_timed_out_and_happened_is_not_made_twice() -> None:
    gateway = Gateway([*voters(T), member(T, LEARNER.name, 44, name="", isLearner=True)])
    gateway.first["add"] = [NO_QUORUM, EXISTS]
    with cluster_of(gateway, T) as client_for:
        assert add_member(T, LEARNER, True, client_for, 10).id == to_hex(44)
    assert gateway.first["add"] == [EXISTS]


def test_the_name_at_another_address_is_refused_with_what_to_do() -> None:
    moved = member(T, LEARNER.name, 44, peerURLs=["https://172.28.0.99:2380"], isLearner=True)
    with (
        cluster_of(Gateway([*voters(T), moved]), T) as client_for,
        pytest.raises(ConflictError, match=r"at https://172\.28\.0\.99:2380.*etcdctl member remo"),
    ):
        plan_member(T, LEARNER, True, client_for)


def test_the_address_under_another_name_is_refused() -> None:
    other = member(T, LEARNER.name, 44, name="postgres-node-9", isLearner=True)
    with (
        cluster_of(Gateway([*voters(T), other]), T) as client_for,
        pytest.raises(ConflictError, match="as postgres-node-9, the pillar calls it"),
    ):
        plan_member(T, LEARNER, True, client_for)


def test_a_voter_that_should_be_a_learner_is_refused() -> None:
    with (
        cluster_of(Gateway([*voters(T), member(T, LEARNER.name, 44)]), T) as client_for,
        pytest.raises(ConflictError, match="is a voter in etcd and the pillar declares a learner"),
    ):
        plan_member(T, LEARNER, True, client_for)


def test_removing_takes_out_one_member_and_is_silent_when_there_is_none() -> None:
    gateway = Gateway([*voters(T), member(T, LEARNER.name, 44, isLearner=True)])
    with cluster_of(gateway, T) as client_for:
        assert remove_member(T, LEARNER, client_for) is not None
        assert remove_member(T, LEARNER, client_for) is None
    assert len(gateway.members) == 3
