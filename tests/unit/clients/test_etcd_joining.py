"""A member without data comes back under a new id, and never at the price of the quorum."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import ConflictError, TimedOutError
from pgha.etcd import joining, membership
from pgha.etcd.joining import readmit, wait_joined
from pgha.etcd.membership import wait_quorum
from pgha.render.etcd import peer_url
from tests.support.clusters import topology
from tests.unit.clients.etcd_gateway import (
    HEADER,
    NO_QUORUM,
    NOT_YET,
    Gateway,
    cluster_of,
    member,
    voters,
)

T = topology()
VOTER = T.node(T.voters[0])
LEARNER = T.node(T.learners[0])
NOT_IN_SYNC = (
    503,
    {"message": "etcdserver: can only promote a learner member which is in sync with leader"},
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "INTERVAL_S", 0.01)
    monkeypatch.setattr(membership, "INTERVAL_S", 0.01)


def test_a_dead_voter_of_three_is_replaced_by_a_voter_with_another_id() -> None:
    gateway = Gateway([*voters(T), member(T, LEARNER.name, 44, isLearner=True)])
    with cluster_of(gateway, T, silent=[VOTER.name]) as client_for:
        admission = readmit(T, VOTER, client_for)
    assert (admission.removed, admission.learner) == ("b", False)
    assert "11" not in [entry["ID"] for entry in gateway.members]
    # etcd compares this list with its own, learners included.
    assert admission.members == {node.name: peer_url(T, node) for node in T.nodes}


def test_a_voter_comes_as_a_learner_when_it_would_raise_the_quorum() -> None:
    gateway = Gateway(voters(T)[1:2])
    with cluster_of(gateway, T, silent=[VOTER.name]) as client_for:
        assert readmit(T, VOTER, client_for).learner
        assert not readmit(T, T.node(T.voters[2]), client_for).removed


def test_a_declared_learner_comes_back_as_a_learner() -> None:
    gateway = Gateway([*voters(T), member(T, LEARNER.name, 44, isLearner=True)])
    with cluster_of(gateway, T) as client_for:
        admission = readmit(T, LEARNER, client_for)
    assert (admission.removed, admission.learner) == ("2c", True)


@pytest.mark.parametrize("answer", [NOT_YET, NO_QUORUM])
def test_a_removal_that_etcd_does_not_want_yet_is_asked_again(answer: Any) -> None:
    gateway = Gateway(voters(T))
    gateway.first["remove"] = [answer]
    with cluster_of(gateway, T, silent=[VOTER.name]) as client_for:
        assert readmit(T, VOTER, client_for).removed == "b"


def test_a_name_at_another_address_is_not_removed() -> None:
    moved = member(T, VOTER.name, 11, peerURLs=["https://172.28.0.99:2380"])
    gateway = Gateway([moved, *voters(T)[1:]])
    with cluster_of(gateway, T) as client_for, pytest.raises(ConflictError, match=r"0\.99"):
        readmit(T, VOTER, client_for)
    assert len(gateway.members) == 3


def test_a_voter_that_joined_as_a_learner_is_promoted_when_it_has_caught_up() -> None:
    gateway = Gateway([member(T, VOTER.name, 11, isLearner=True), *voters(T)[1:]])
    gateway.is_learner = True
    gateway.first["promote"] = [NOT_IN_SYNC]
    with cluster_of(gateway, T) as client_for:
        assert wait_joined(T, VOTER, client_for, 10) == {"promoted": True}
    assert "isLearner" not in gateway.members[0]


def test_a_learner_stays_one() -> None:
    gateway = Gateway([*voters(T), member(T, LEARNER.name, 44, isLearner=True)])
    gateway.is_learner = True
    with cluster_of(gateway, T) as client_for:
        assert wait_joined(T, LEARNER, client_for, 10) == {"promoted": False}


def test_a_member_that_does_not_start_is_given_up_with_the_reason() -> None:
    with (
        cluster_of(Gateway(voters(T)), T, silent=[VOTER.name]) as client_for,
        pytest.raises(TimedOutError, match=r"etcd on app-server-1\.lan to join"),
    ):
        wait_joined(T, VOTER, client_for, 0)


def test_voters_with_quorums_of_two_clusters_are_a_conflict() -> None:
    gateway = Gateway(voters(T))
    other = (200, {"header": {**HEADER, "cluster_id": "7"}})
    mine = (200, {"header": HEADER})
    # Three reads in parallel, then one of each voter in turn.
    gateway.first["range"] = [mine, mine, mine, mine, other, other]
    with (
        cluster_of(gateway, T) as client_for,
        pytest.raises(ConflictError, match=r"postgres-node-1 and postgres-node-2, postgres-node-3"),
    ):
        wait_quorum(T, client_for, 0, voters=3)
