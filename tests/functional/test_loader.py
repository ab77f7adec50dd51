"""What Salt's own loader makes of the tree: everything loads, errors are sentences."""

from __future__ import annotations

from typing import Any

import pytest
import salt.loader
from salt.exceptions import CommandExecutionError

from tests.support.verbs import files_in, verbs_of

FUNCTIONS = (
    "coolify.version", "coolify.survey", "coolify.converge", "coolify.tag_clients",
    "patroni.status", "patroni.wait_leader", "patroni.wait_streaming",
    "patroni.standing", "patroni.switchover", "patroni.failover",
    "postgres_pool.paused", "postgres_pool.resume", "postgres_pool.guard", "postgres_db.checkpoint",
    "etcd_cluster.status", "etcd_cluster.wait_quorum",
    "etcd_member.rejoin", "etcd_member.found",
    "postgres_data.position", "postgres_data.stop",
    "postgres_node.facts", "postgres_node.prove", "postgres_node.routes",
)  # fmt: skip
STATES = (
    "coolify.project_present", "coolify.environment_present", "coolify.service_present",
    "coolify.service_running", "coolify.service_absent",
    "patroni.config_present", "etcd_cluster.member_present",
    "postgres_db.roles_present", "postgres_db.databases_present",
    "postgres_node.files_present", "postgres_node.images_present", "postgres_pool.resumed",
)  # fmt: skip


def defined(folder: str) -> set[str]:
    """What the files of ``_modules`` or ``_states`` define, as Salt names it."""
    names = {file.__virtualname__ for file in files_in(folder)}
    return {f"{name}.{verb}" for name in names for verb in vars(verbs_of(name, folder))}


def ours(loaded: list[str], folder: str) -> set[str]:
    names = {file.__virtualname__ for file in files_in(folder)}
    return {function for function in loaded if function.split(".")[0] in names}


def test_every_function_is_loaded_and_nothing_that_a_file_only_imports(caller: Any) -> None:
    loaded = ours(caller.cmd("sys.list_functions"), "_modules")
    assert loaded == defined("_modules")
    assert set(FUNCTIONS) <= loaded


def test_every_state_is_loaded_and_nothing_that_a_file_only_imports(caller: Any) -> None:
    """Those that ask for the Salt master are not on a minion."""
    loaded = ours(caller.cmd("sys.list_state_functions"), "_states")
    assert loaded <= defined("_states")
    assert set(STATES) <= loaded


@pytest.mark.usefixtures("caller")
@pytest.mark.parametrize("verb", ["coolify.project", "coolify.service_put", "patroni.reinit"])
def test_a_verb_is_found_in_a_file_of_another_name(minion_opts: dict[str, Any], verb: str) -> None:
    """Asked for alone, before anything else has made the loader read that file."""
    assert verb in salt.loader.minion_mods(dict(minion_opts))


@pytest.mark.parametrize("module", sorted({file.__virtualname__ for file in files_in("_modules")}))
def test_every_function_can_be_documented(caller: Any, module: str) -> None:
    """A signature that cannot be inspected breaks `salt '*' sys.argspec` and with it the API."""
    assert caller.cmd("sys.argspec", module)


def test_wrong_pillar_is_a_sentence(caller: Any) -> None:
    caller.sminion.opts["pillar"]["patroni_ttl"] = 10
    try:
        with pytest.raises(CommandExecutionError, match="patroni_ttl"):
            caller.sminion.functions["postgres_node.facts"]()
    finally:
        caller.sminion.opts["pillar"]["patroni_ttl"] = 30


def test_node_sls_renders_for_a_node(caller: Any) -> None:
    states = caller.cmd("state.show_sls", "postgres.node")
    assert isinstance(states, dict), states
    functions = {
        next(key for key in state if not key.startswith("__")) for state in states.values()
    }
    assert functions == {"postgres_node", "postgres_pool"}
    assert len(states) == 5


def test_plan_of_a_server_touches_nothing(caller: Any) -> None:
    planned = caller.cmd(
        "state.single", "postgres_node.directories_present", "directories", test=True
    )
    (state,) = planned.values()
    assert state["result"] is None
    assert "/etc/pgha/coolify_postgres" in state["changes"]


def test_leader_sls_renders(caller: Any) -> None:
    states = caller.cmd("state.show_sls", "postgres.leader")
    assert isinstance(states, dict), states
    assert len(states) == 3


def test_deploy_orchestration_lists_every_step(caller: Any) -> None:
    states = caller.cmd("state.show_sls", "postgres.deploy")
    assert isinstance(states, dict), states
    assert len(states) == 13
    assert all("failhard" in str(state) for state in states.values())


@pytest.mark.parametrize("sls", ["postgres.deploy", "postgres.restore"])
def test_a_restore_is_a_deploy_with_two_more_steps(caller: Any, sls: str) -> None:
    pillar = {"restore_from_backup": True, "backup_file": "b.sql.gz", "confirm": "coolify_postgres"}
    states = caller.cmd("state.show_sls", sls, pillar=pillar)
    assert isinstance(states, dict), states
    steps = [body["postgres"] for body in states.values()]
    names = [next(part for part in step if isinstance(part, str)) for step in steps]
    assert names[1] == "restore_prepared"
    assert names.index("leader_running") < names.index("restored") < names.index("routers_running")
    assert {"confirm": "coolify_postgres"} in steps[1]


def test_a_restore_without_a_name_is_no_deploy(caller: Any) -> None:
    (state,) = caller.cmd("state.show_sls", "postgres.restore").values()
    assert "restore_prepared" in state["postgres"]


@pytest.mark.parametrize("sls", ["postgres.backup", "postgres.backup_verify"])
def test_backup_orchestrations_render(caller: Any, sls: str) -> None:
    states = caller.cmd("state.show_sls", sls)
    assert isinstance(states, dict), states
    assert len(states) == 1


@pytest.mark.parametrize("name", ["recover_etcd", "recover_survivors"])
def test_recoveries_render_without_a_pillar(caller: Any, name: str) -> None:
    states = caller.cmd("state.show_sls", f"postgres.{name}")
    assert isinstance(states, dict), states
    (state,) = states.values()
    assert {"confirm": None} in state["postgres_recover"]


@pytest.mark.parametrize("sls", ["postgres.monitoring", "postgres.monitoring_server"])
def test_monitoring_states_are_as_salt_takes_them(caller: Any, sls: str) -> None:
    """A name that Salt keeps for itself, such as listen, is only refused when the states run."""
    returned = caller.cmd("state.sls", sls, test=True)
    assert isinstance(returned, dict), returned
