"""Who lost its data is let in anew; a new cluster begins with all voters; nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.deploy import etcd, preflight
from pgha.deploy.deployment import Deployment
from pgha.render.etcd import peer_url
from tests.support.fake_fleet import FakeFleet
from tests.unit.deploy.test_steps import CLUSTER, converge, run_of

VOTERS = list(CLUSTER.voters)


def listed(*names: str, learners: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return [
        {"name": name, "learner": name in learners, "peer_urls": [peer_url(CLUSTER, node)]}
        for name in names
        for node in [CLUSTER.node(name)]
    ]


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet(
        {
            "coolify.converge": converge,
            "etcd_cluster.wait_quorum": VOTERS,
            "etcd_cluster.members": listed(*VOTERS, *CLUSTER.learners, learners=CLUSTER.learners),
            "etcd_member.rejoin": {"set_aside": None, "removed": "b", "learner": False},
            "etcd_member.joined": {"promoted": False, "restored": True},
            "state.single": lambda minion, **kw: {"id": {"result": True, "changes": {}}},
        }
    )


def lose(run: Deployment, *names: str, stopped: bool = True) -> None:
    for name in names:
        node = CLUSTER.node(name)
        run.facts[node.host]["data"] = {"etcd": False, "postgresql": False}
        if stopped:
            run.forget(node, "etcd")


def rejoined(fleet: FakeFleet) -> list[str]:
    return [asked[0][0] for asked in fleet.asked if asked[1] == "etcd_member.rejoin"]


def test_a_healthy_etcd_costs_one_question_for_the_voters(fleet: FakeFleet) -> None:
    assert etcd.run_etcd(run_of(fleet, live=True)) == {}
    assert fleet.functions() == ["etcd_cluster.wait_quorum", "state.single"]


def test_a_voter_on_an_empty_disk_joins_as_a_new_member(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=True)
    lose(run, VOTERS[0])
    fleet.replies["etcd_cluster.wait_quorum"] = VOTERS[1:]
    changes = etcd.run_etcd(run)
    assert changes[f"etcd member {VOTERS[0]}"]["new"] == "a new member"
    # Never started before the old entry is gone: rejoin comes first, then Coolify's start.
    order = [f for f in fleet.functions() if f in ("etcd_member.rejoin", "coolify.converge")]
    assert order == ["etcd_member.rejoin", "coolify.converge"]
    assert rejoined(fleet) == [CLUSTER.node(VOTERS[0]).host]


def test_a_learner_on_an_empty_disk_joins_as_a_new_member(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=True)
    lose(run, *CLUSTER.learners)
    etcd.run_etcd(run)
    assert rejoined(fleet) == [CLUSTER.node(CLUSTER.learners[0]).host]
    assert "state.single" not in fleet.functions()


def test_data_of_an_etcd_that_was_given_up_is_set_aside(fleet: FakeFleet) -> None:
    fleet.replies["etcd_cluster.wait_quorum"] = VOTERS[:1]
    fleet.replies["etcd_cluster.members"] = listed(VOTERS[0])
    fleet.replies["etcd_member.rejoin"] = {"set_aside": "/x/data.1", "removed": None}
    changes = etcd.run_etcd(run_of(fleet, live=True))
    assert rejoined(fleet) == [CLUSTER.node(name).host for name in VOTERS[1:]]
    assert changes[f"etcd member {VOTERS[1]}"]["set_aside"] == "/x/data.1"


def test_a_voter_left_as_a_learner_by_a_killed_run_is_promoted(fleet: FakeFleet) -> None:
    fleet.replies["etcd_cluster.wait_quorum"] = VOTERS[:2]
    fleet.replies["etcd_cluster.members"] = listed(*VOTERS, learners=(VOTERS[2],))
    changes = etcd.run_etcd(run_of(fleet, live=True))
    assert changes == {f"etcd member {VOTERS[2]}": {"old": "learner", "new": "voter"}}
    assert "etcd_member.rejoin" not in fleet.functions()


def test_a_first_deploy_that_was_interrupted_begins_again_with_all(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=False, current=False)
    run.facts[CLUSTER.node(VOTERS[1]).host]["data"]["etcd"] = True
    etcd.run_etcd(run)
    assert "etcd_member.rejoin" not in fleet.functions()
    assert fleet.asked[0][2]["nodes"] == VOTERS


def test_plan_names_who_would_join(fleet: FakeFleet) -> None:
    run = run_of(fleet, live=True, test=True)
    lose(run, VOTERS[0], *CLUSTER.learners)
    changes = etcd.run_etcd(run)
    assert {f"etcd member {VOTERS[0]}", f"etcd member {CLUSTER.learners[0]}"} <= set(changes)
    assert not {"etcd_member.rejoin", "etcd_cluster.wait_quorum"} & set(fleet.functions())


@pytest.mark.parametrize(
    ("without_etcd", "without_postgresql", "lost"),
    [
        ([], [], []),
        (VOTERS[:1], [], []),
        (VOTERS[:2], [], VOTERS[:2]),
        (VOTERS, [], VOTERS),
        (VOTERS, [node.name for node in CLUSTER.nodes], []),
    ],
)
def test_etcd_is_lost_when_a_majority_has_no_data_and_postgresql_has(
    without_etcd: list[str], without_postgresql: list[str], lost: list[str]
) -> None:
    facts = {
        node.host: {
            "data": {
                "etcd": node.name not in without_etcd,
                "postgresql": node.name not in without_postgresql,
            }
        }
        for node in CLUSTER.nodes
    }
    assert preflight.etcd_is_lost(CLUSTER, facts) == lost
