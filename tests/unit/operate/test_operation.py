"""Who may go on, and what a state says afterwards."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from pgha.errors import RefusedError
from pgha.operate.operation import Operation, Outcome, require_confirmation
from pgha.topology import Topology
from pgha_master.operation import failed, operation_lock, state_return

CHANGE = {"leader": {"old": "postgres-node-1", "new": "postgres-node-2"}}


def operation(test: bool = False) -> Operation:
    topology = Topology.from_pillar({"coolify_url": "http://controller.lan:8000"})
    fleet: Any = None
    return Operation(topology, fleet, step=lambda what: nullcontext(), test=test)


def test_without_the_clusters_name_nothing_is_done() -> None:
    for typed in (None, "", "yes", "coolify"):
        with pytest.raises(RefusedError, match=r"Rows are lost.*CONFIRM=coolify_postgres"):
            require_confirmation(operation(), typed, "Rows are lost")


def test_the_clusters_name_confirms_and_a_plan_needs_none() -> None:
    require_confirmation(operation(), "coolify_postgres", "Rows are lost")
    require_confirmation(operation(test=True), None, "Rows are lost")


def test_return_of_a_change_of_a_plan_and_of_nothing() -> None:
    done = state_return("x", Outcome(CHANGE, ["It took 2.1 s."]), test=False)
    assert (done["result"], done["comment"]) == (True, "Changed. It took 2.1 s.")
    planned = state_return("x", Outcome(CHANGE), test=True)
    assert (planned["result"], planned["changes"]) == (None, CHANGE)
    nothing = state_return("x", Outcome(), test=True)
    assert (nothing["result"], nothing["changes"]) == (True, {})


def test_return_of_a_failure_is_its_sentence() -> None:
    assert failed("x", RefusedError("No.")) == {
        "name": "x", "result": False, "changes": {}, "comment": "No.",
    }  # fmt: skip


def test_a_second_operation_on_the_cluster_is_refused(tmp_path: Any) -> None:
    opts = {"pgha_state_dir": str(tmp_path)}
    with operation_lock(opts, operation().topology, "backup"):
        second = operation_lock(opts, operation().topology, "switchover")
        with pytest.raises(Exception, match="backup of coolify_postgres"):
            second.__enter__()
