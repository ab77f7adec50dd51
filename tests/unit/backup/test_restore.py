"""What a restore refuses before it touches anything, and what it does to the servers if it may."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pgha.backup import journal
from pgha.backup.restore import prepare
from pgha.backup.take import store_root
from pgha.deploy.deployment import Deployment
from pgha.errors import ConflictError, NotFoundError, RefusedError
from pgha.render.compose import stack_name
from tests.support.clusters import topology
from tests.support.fake_fleet import FakeFleet
from tests.unit.backup.samples import put_backup

Make = Callable[..., Deployment]
ASIDE = "/var/lib/pgha/coolify_postgres/postgresql/data.before-restore"


@pytest.fixture
def backup(tmp_path: Path) -> str:
    folder = store_root(tmp_path, topology())
    folder.mkdir(parents=True)
    return put_backup(folder, "20261124T050000Z").name


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def deployment(*, data: bool, test: bool = False, free: int = 10**12) -> Deployment:
        facts = {"stacks": _stacks("exited"), "free_bytes": free}
        fleet = FakeFleet(
            {
                "postgres_node.data": {"present": data, "bytes": 5_000_000 if data else 0},
                "coolify.stop_stacks": [],
                "postgres_node.stacks": _stacks("exited"),
                "postgres_node.set_data_aside": ASIDE if data else None,
                "etcd_cluster.forget_database": 9,
                "postgres_node.facts": facts,
            }
        )
        hosts = [node.host for node in topology().nodes]
        live = {"stacks": _stacks("running"), "free_bytes": free}
        return Deployment(
            topology(), fleet, step=lambda what: nullcontext(), test=test, state_dir=tmp_path,
            facts=dict.fromkeys(hosts, live),
        )  # fmt: skip

    return deployment


def _stacks(patroni: str) -> dict[str, Any]:
    return {
        stack_name(topology(), node, component): {
            component: "running" if component == "etcd" else patroni
        }
        for node in topology().nodes
        for component in ("etcd", "patroni", "router")
    }


def asked(deployment: Deployment) -> list[str]:
    fleet: Any = deployment.fleet
    return [function for function in fleet.functions() if function != "postgres_node.data"]


def test_the_backup_must_be_named_and_be_there(make: Make, backup: str) -> None:
    with pytest.raises(RefusedError, match="Which backup"):
        prepare(make(data=False), None, None)
    with pytest.raises(NotFoundError, match="There is no backup nothing"):
        prepare(make(data=False), "nothing.sql.gz", None)


def test_data_in_the_way_needs_the_clusters_name(make: Make, backup: str) -> None:
    deployment = make(data=True)
    with pytest.raises(
        RefusedError, match=r"holds data on .*after 2026-11-24T05:00:00.*CONFIRM=coolify_p"
    ):
        prepare(deployment, backup, None)
    assert asked(deployment) == []
    assert journal.read(deployment.state_dir, topology()) is None


def test_confirmed_data_is_kept_aside_and_etcd_forgets(make: Make, backup: str) -> None:
    deployment = make(data=True)
    changes, comments = prepare(deployment, backup, "coolify_postgres")
    assert asked(deployment) == [
        "coolify.stop_stacks",
        "postgres_node.stacks",
        "postgres_node.stacks",
        "postgres_node.set_data_aside",
        "etcd_cluster.forget_database",
        "postgres_node.facts",
    ]
    assert changes["data of builder.lan"] == {"old": "5.0 MB", "new": "kept aside"}
    everywhere = ", ".join(node.host for node in topology().nodes)
    kept = f"The old data is kept in {ASIDE} on {everywhere}; remove it when nobody needs it."
    assert comments == [kept]
    # What follows starts Patroni because it knows now that none runs.
    assert not deployment.is_live(topology().nodes[0], "patroni")


def test_what_coolify_wrongly_believes_stopped_is_stopped_on_its_server(
    make: Make, backup: str
) -> None:
    """An interrupted restore has started it since Coolify last looked."""
    deployment = make(data=True)
    fleet: Any = deployment.fleet
    first = topology().nodes[0]
    up = {stack_name(topology(), first, "patroni"): {"patroni": "exited", "restapi": "running"}}

    def stacks(minion: str, **_: Any) -> dict[str, Any]:
        stopped = "postgres_data.stop" in fleet.functions()
        return _stacks("exited") | ({} if stopped else up)

    fleet.replies |= {"postgres_node.stacks": stacks, "postgres_data.stop": ["restapi-1"]}
    prepare(deployment, backup, "coolify_postgres")
    stops = [minions for minions, function, _ in fleet.asked if function == "postgres_data.stop"]
    assert stops == [(first.host,)]


def test_an_empty_cluster_needs_no_word(make: Make, backup: str) -> None:
    changes, comments = prepare(make(data=False), backup, None)
    assert changes == {backup: {"old": None, "new": "restored"}}
    assert comments == []


def test_an_interrupted_restore_goes_on_and_keeps_others_away(make: Make, backup: str) -> None:
    deployment = make(data=True)
    prepare(deployment, backup, "coolify_postgres")
    with pytest.raises(ConflictError, match=f"restore of .*{backup}.*has not ended"):
        journal.refuse_unfinished(deployment.state_dir, topology())
    prepare(make(data=True), backup, None)  # no second confirmation
    journal.remove(deployment.state_dir, topology())
    journal.refuse_unfinished(deployment.state_dir, topology())


def test_another_backup_is_another_decision(make: Make, backup: str) -> None:
    deployment = make(data=True)
    prepare(deployment, backup, "coolify_postgres")
    other = put_backup(store_root(deployment.state_dir, topology()), "20261124T055000Z")
    with pytest.raises(RefusedError, match="CONFIRM"):
        prepare(deployment, other.name, None)


def test_a_backup_of_another_cluster_needs_the_name_too(make: Make, tmp_path: Path) -> None:
    folder = store_root(tmp_path, topology())
    folder.mkdir(parents=True)
    other = put_backup(folder, "20261124T050000Z", cluster="elsewhere")
    with pytest.raises(RefusedError, match="is a backup of elsewhere, not of coolify_postgres"):
        prepare(make(data=False), other.name, None)
    prepare(make(data=False), other.name, "coolify_postgres")


def test_one_confirmation_is_asked_for_everything_that_it_allows(
    make: Make, tmp_path: Path
) -> None:
    folder = store_root(tmp_path, topology())
    folder.mkdir(parents=True)
    other = put_backup(folder, "20261124T050000Z", cluster="elsewhere")
    with pytest.raises(RefusedError, match=r"of elsewhere, not of .*, and .* holds data on .*5\.0"):
        prepare(make(data=True), other.name, None)
    prepare(make(data=True), other.name, "coolify_postgres")


def test_a_disk_that_is_too_small_is_seen_before(make: Make, backup: str) -> None:
    deployment = make(data=True, free=10**9)
    with pytest.raises(RefusedError, match=r"builder\.lan \(1\.0 GB free\)"):
        prepare(deployment, backup, "coolify_postgres")
    assert asked(deployment) == []


def test_a_plan_touches_nothing(make: Make, backup: str) -> None:
    deployment = make(data=True, test=True)
    changes, _ = prepare(deployment, backup, None)
    assert changes["data of controller.lan"]["new"] == "kept aside"
    assert asked(deployment) == []
    assert journal.read(deployment.state_dir, topology()) is None
