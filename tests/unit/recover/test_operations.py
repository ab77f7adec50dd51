"""A recovery refuses where it is not needed, asks, acts in the safe order, and can be taken up."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pgha.errors import ConflictError, FailedError, NotFoundError, RefusedError
from pgha.operate.operation import Operation
from pgha.recover import journal
from pgha.recover.operations import recover_etcd, recover_survivors
from pgha.render.compose import STACK_COMPONENTS, stack_containers, stack_name
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet
from tests.unit.deploy.test_check import QUIET
from tests.unit.deploy.test_preflight import fit
from tests.unit.deploy.test_steps import converge

CLUSTER = topology()
NAME = CLUSTER.cluster
HOSTS = [node.host for node in CLUSTER.nodes]
VOTER_HOSTS = HOSTS[:3]
NO_QUORUM = {"healthy": False, "is_learner": False}
REPLICA = {"role": "replica", "state": "running"}
ACTS = {
    "postgres_data.stop", "etcd_member.found", "etcd_member.set_aside", "etcd_member.restore",
    "etcd_member.rejoin", "patroni.wait_leader",
}  # fmt: skip


def facts(minion: str, *, etcd: bool = True, live: bool = True, **_: Any) -> dict[str, Any]:
    node = CLUSTER.node(minion)
    stacks = {
        stack_name(CLUSTER, node, part): dict.fromkeys(stack_containers(part), "running")
        for part in STACK_COMPONENTS
        if live or part != "etcd"
    }
    return fit(stacks=stacks, data={"etcd": etcd, "postgresql": True})


def position(minion: str, **_: Any) -> dict[str, Any]:
    """The later a node is declared, the further its copy is behind."""
    return {
        "system": "77", "state": "in production", "timeline": 2,
        "lsn": 0x5000 - 16 * HOSTS.index(minion), "last_commit": None, "history": [[1, 0x1000]],
    }  # fmt: skip


@pytest.fixture
def fleet() -> FakeFleet:
    """etcd has lost its data everywhere, nobody leads."""
    stacks = {
        stack_name(CLUSTER, node, part): {"current": True}
        for node in CLUSTER.nodes
        for part in STACK_COMPONENTS
    }
    return FakeFleet(
        {
            "saltutil.sync_all": {},
            "saltutil.refresh_pillar": True,
            "postgres_node.clock": 100.1,
            "postgres_node.facts": lambda minion, **kw: facts(minion, etcd=False),
            "postgres_roll.outlook": QUIET,
            "coolify.survey": {"stacks": stacks, "problems": []},
            "coolify.converge": lambda minion, **kw: converge(minion, **{"not_running": [], **kw}),
            "etcd_cluster.status": NO_QUORUM,
            "etcd_cluster.wait_quorum": list(CLUSTER.voters),
            "patroni.status": REPLICA,
            "patroni.wait_leader": "postgres-node-1",
            "patroni.wait_streaming": [],
            "postgres_data.position": position,
            "postgres_data.stop": [],
            "postgres_data.use_voter": True,
            "etcd_member.found": {"stopped": [], "set_aside": "/x/etcd/data.1"},
            "etcd_member.set_aside": {"stopped": [], "set_aside": None},
            "etcd_member.restore": False,
            "etcd_member.rejoin": {"set_aside": None, "removed": None, "learner": True},
            "etcd_member.joined": {"promoted": False, "restored": True},
        }
    )


def operation(fleet: FakeFleet, state_dir: Path, *, test: bool = False) -> Operation:
    return Operation(CLUSTER, fleet, lambda what: nullcontext(), test, state_dir)


def acts(fleet: FakeFleet) -> list[str]:
    """What was changed, in order."""
    return [function for function in fleet.functions() if function in ACTS]


def leading(host: str) -> Any:
    lead = {"role": "leader", "state": "running"}
    return lambda minion, **kw: lead if minion == host else REPLICA


def test_with_quorum_there_is_nothing_to_recover(fleet: FakeFleet, tmp_path: Path) -> None:
    fleet.replies["etcd_cluster.status"] = {"healthy": True, "is_learner": False}
    with pytest.raises(RefusedError, match=r"etcd has quorum.*postgres\.deploy"):
        recover_etcd(operation(fleet, tmp_path), NAME)
    assert acts(fleet) == []


def test_stopped_voters_with_data_are_a_matter_for_the_deploy(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    fleet.replies["postgres_node.facts"] = lambda minion, **kw: facts(minion, live=False)
    with pytest.raises(RefusedError, match=r"containers do not run on postgres-node-1.*deploy"):
        recover_etcd(operation(fleet, tmp_path), NAME)
    assert acts(fleet) == []


def test_two_leaders_are_left_to_a_human(fleet: FakeFleet, tmp_path: Path) -> None:
    fleet.replies["patroni.status"] = {"role": "leader", "state": "running"}
    with pytest.raises(ConflictError, match="both take writes"):
        recover_etcd(operation(fleet, tmp_path), NAME)


def test_without_confirmation_the_copies_are_shown_and_nothing_is_done(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match=f"CONFIRM={NAME}") as refused:
        recover_etcd(operation(fleet, tmp_path), None)
    text = str(refused.value)
    assert "postgres-node-2 (app-server-2.lan): timeline 2, WAL to 0/4FF0" in text
    assert "postgres-node-4 is 48 bytes behind" in text
    assert acts(fleet) == []
    assert journal.read(tmp_path, NAME) is None


def test_plan_needs_no_confirmation_and_touches_nothing(fleet: FakeFleet, tmp_path: Path) -> None:
    plan = recover_etcd(operation(fleet, tmp_path, test=True), None)
    assert plan.changes["leader"] == {"old": None, "new": "postgres-node-1"}
    assert acts(fleet) == []


def test_a_leader_that_writes_is_not_stopped(fleet: FakeFleet, tmp_path: Path) -> None:
    fleet.replies["patroni.status"] = leading(HOSTS[2])
    fleet.replies["patroni.wait_leader"] = "postgres-node-3"
    outcome = recover_etcd(operation(fleet, tmp_path), NAME)
    assert "postgres_data.stop" not in fleet.functions()
    assert outcome.changes["leader"] == {"old": "postgres-node-3", "new": "postgres-node-3"}
    assert "/x/etcd/data.1" in str(outcome.changes)
    assert journal.read(tmp_path, NAME) is None


def test_a_leader_is_stopped_when_a_member_could_take_the_lead_unasked(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    def status(minion: str, **_: Any) -> dict[str, Any]:
        restarted = {"role": None, "state": "unknown"}
        return restarted if minion == HOSTS[3] else leading(HOSTS[2])(minion)

    fleet.replies["patroni.status"] = status
    fleet.replies["patroni.wait_leader"] = "postgres-node-3"
    recover_etcd(operation(fleet, tmp_path), NAME)
    assert acts(fleet)[0] == "postgres_data.stop"


def test_without_a_leader_all_are_stopped_and_the_newest_copy_starts_first(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    recover_etcd(operation(fleet, tmp_path), NAME)
    assert acts(fleet) == [
        "postgres_data.stop", "etcd_member.set_aside", "etcd_member.found", "etcd_member.restore",
        "patroni.wait_leader", "etcd_member.rejoin",
    ]  # fmt: skip
    started = [
        asked[2]["nodes"]
        for asked in fleet.asked
        if asked[1] == "coolify.converge" and asked[2]["components"] == ["patroni"]
    ]
    assert started[0] == ["postgres-node-1"]


def test_another_leader_than_the_chosen_one_ends_it(fleet: FakeFleet, tmp_path: Path) -> None:
    fleet.replies["patroni.wait_leader"] = "postgres-node-4"
    with pytest.raises(FailedError, match="postgres-node-4 leads instead of postgres-node-1"):
        recover_etcd(operation(fleet, tmp_path), NAME)
    assert journal.read(tmp_path, NAME) is not None


def test_an_interrupted_recovery_goes_on_with_the_copy_it_chose(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    journal.write(tmp_path, NAME, journal.Note("recover_etcd", "postgres-node-2"))
    fleet.replies["etcd_cluster.status"] = {"healthy": True, "is_learner": False}
    fleet.replies["patroni.wait_leader"] = "postgres-node-2"
    recover_etcd(operation(fleet, tmp_path), NAME)
    assert "etcd_member.found" not in fleet.functions()
    assert journal.problem(tmp_path, NAME) is None


def test_another_recovery_is_not_mixed_into_an_interrupted_one(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    note = journal.Note("recover_survivors", "postgres-node-3", ("postgres-node-1",))
    journal.write(tmp_path, NAME, note)
    with pytest.raises(RefusedError, match=r'recover_survivors.*"lost": \["postgres-node-1"\]'):
        recover_etcd(operation(fleet, tmp_path), NAME)
    assert fleet.asked == []


def test_survivors_go_on_without_those_that_are_gone(fleet: FakeFleet, tmp_path: Path) -> None:
    fleet.silent = set(HOSTS[:2])
    fleet.replies["patroni.wait_leader"] = "postgres-node-3"
    outcome = recover_survivors(operation(fleet, tmp_path), ["postgres-node-1", HOSTS[1]], NAME)
    found = next(asked for asked in fleet.asked if asked[1] == "etcd_member.found")
    assert (found[0], found[2]["voters"]) == ((HOSTS[2],), ["postgres-node-3"])
    streamed = next(asked for asked in fleet.asked if asked[1] == "patroni.wait_streaming")
    assert streamed[2]["members"] == ["postgres-node-3", "postgres-node-4"]
    assert "did not answer" in " ".join(outcome.report)
    assert outcome.changes["leader"]["new"] == "postgres-node-3"


def test_the_price_of_giving_servers_up_is_told_first(fleet: FakeFleet, tmp_path: Path) -> None:
    fleet.silent = set(HOSTS[:2])
    with pytest.raises(RefusedError, match=r"postgres-node-1, postgres-node-2 had beyond.*CONFIRM"):
        recover_survivors(operation(fleet, tmp_path), HOSTS[:2], None)
    assert acts(fleet) == []


@pytest.mark.parametrize(
    ("lost", "error", "words"),
    [
        ([], RefusedError, "LOST="),
        (["nobody"], NotFoundError, "not a node"),
        (HOSTS, RefusedError, "restore a backup"),
        (VOTER_HOSTS, RefusedError, r"etcd_voters: \[postgres-node-4\]"),
    ],
)
def test_what_cannot_be_given_up_is_refused_before_anybody_is_asked(
    fleet: FakeFleet, tmp_path: Path, lost: list[str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        recover_survivors(operation(fleet, tmp_path), lost, NAME)
    assert fleet.asked == []


PROMOTED = {"timeline": 3, "lsn": 0x6000, "history": [[1, 0x1000], [2, 0x4FF0]]}
WITH_QUORUM = {"healthy": True, "is_learner": False}


def patroni_stopped(minion: str, **_: Any) -> dict[str, Any]:
    return {stack_name(CLUSTER, CLUSTER.node(minion), "patroni"): {"patroni": "exited"}}


def silent_wait(minion: str, **_: Any) -> Any:
    raise FailedError("Gave up waiting for streaming")


def test_a_recovery_goes_on_with_the_copy_that_was_promoted_since(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    """Clients have written to it; the copy of the note lacks that."""
    journal.write(tmp_path, NAME, journal.Note("recover_etcd", "postgres-node-1"))
    fleet.replies["etcd_cluster.status"] = WITH_QUORUM
    fleet.replies["postgres_data.position"] = lambda minion, **kw: (
        position(minion) | (PROMOTED if minion != HOSTS[0] else {})
    )
    fleet.replies["patroni.status"] = lambda minion, **kw: (
        {"role": None, "state": "unknown"} if minion == HOSTS[0] else leading(HOSTS[2])(minion)
    )
    fleet.replies["patroni.wait_leader"] = "postgres-node-3"
    outcome = recover_etcd(operation(fleet, tmp_path), NAME)
    assert outcome.changes["leader"] == {"old": "postgres-node-3", "new": "postgres-node-3"}
    assert "postgres_data.stop" not in fleet.functions(), "with quorum nobody has to be stopped"


def test_a_survivor_that_dies_is_not_replaced_by_an_older_copy(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    fleet.silent = set(HOSTS[:2])
    fleet.replies["patroni.wait_leader"] = "postgres-node-3"
    fleet.replies["patroni.wait_streaming"] = silent_wait
    fleet.replies["postgres_node.stacks"] = patroni_stopped
    with pytest.raises(FailedError, match=r"postgres-node-3, the copy.*stopped on postgres-node-4"):
        recover_survivors(operation(fleet, tmp_path), HOSTS[:2], NAME)
    assert fleet.asked[-1][:2] == ((HOSTS[3],), "postgres_data.stop")
    assert journal.read(tmp_path, NAME) is not None


def test_a_copy_that_stops_before_it_leads_is_not_waited_for(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    fleet.replies["patroni.wait_leader"] = silent_wait
    fleet.replies["postgres_node.stacks"] = patroni_stopped
    with pytest.raises(FailedError, match=r"its Patroni is exited.*run the same command again"):
        recover_etcd(operation(fleet, tmp_path), NAME)


def test_a_chosen_copy_that_is_lost_as_well_is_given_up_with_its_server(
    fleet: FakeFleet, tmp_path: Path
) -> None:
    journal.write(tmp_path, NAME, journal.Note("recover_etcd", "postgres-node-1"))
    fleet.silent = {HOSTS[0]}
    fleet.replies["patroni.wait_leader"] = "postgres-node-2"
    outcome = recover_survivors(operation(fleet, tmp_path), HOSTS[:1], NAME)
    assert outcome.changes["leader"]["new"] == "postgres-node-2"
    assert journal.read(tmp_path, NAME) is None
