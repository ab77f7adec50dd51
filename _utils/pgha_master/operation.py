"""Run one operation as a Salt state on the master: lock, context, errors, the state's return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pgha.errors import DamagedStateError, PghaError
from pgha.lock import RunLock
from pgha.operate.operation import STATE_DIR, Operation, Outcome
from pgha.topology import Topology
from pgha_master.fleet import SaltFleet
from pgha_master.progress import Progress
from pgha_master.quiet import hush_salt_at_exit

Opts = Mapping[str, Any]


def run_operation(
    opts: Opts,
    pillar: Mapping[str, Any],
    name: str,
    cluster: str | None,
    what: str,
    action: Callable[[Operation], Outcome],
    *,
    kind: str = "",
) -> dict[str, Any]:
    """Carry out ``action`` while no other operation runs on the cluster; the return of a state.

    Args:
        opts: Salt's ``__opts__`` of the master; ``test`` there asks for the plan only.
        what: what this run does, as it reads in "Another run (...)".
        action: raises PghaError with a sentence for the operator when it cannot go on.
        kind: of the operations that exclude each other, see :func:`operation_lock`.
    """
    hush_salt_at_exit()
    try:
        operation = make_operation(opts, pillar, cluster)
        with operation_lock(opts, operation.topology, what, kind):
            outcome = action(operation)
    except (PghaError, OSError) as error:
        return failed(name, error)
    return state_return(name, outcome, test=operation.test)


def make_operation(opts: Opts, pillar: Mapping[str, Any], cluster: str | None) -> Operation:
    """The context of one run; raises ConfigurationError for a wrong pillar."""
    progress = Progress()
    return Operation(
        topology=Topology.from_pillar(pillar, cluster),
        fleet=SaltFleet(opts),
        step=progress.step,
        show_progress=progress.show_progress,
        say=progress.say,
        test=bool(opts["test"]),
        state_dir=state_directory(opts),
    )


def operation_lock(
    opts: Opts, topology: Topology, what: str, kind: str = ""
) -> AbstractContextManager[object]:
    """Two operations on one cluster at once are an error; a killed run's lock is released.

    Args:
        kind: operations of different kinds do not exclude each other. ``backup`` is one of its
            own: a dump that runs for an hour must not keep anybody from a switchover.

    Raises:
        DamagedStateError: there is no state directory. BusyError (on entering): who holds it.
    """
    directory = state_directory(opts)
    if not directory.is_dir():
        raise DamagedStateError(
            f"{directory} does not exist on the Salt master; create it with mode 0700, "
            "or set pgha_state_dir in the master's configuration"
        )
    name = f".{topology.cluster}.{kind}.lock" if kind else f".{topology.cluster}.lock"
    return RunLock(directory / name, f"{what} of {topology.cluster}")


def state_directory(opts: Opts) -> Path:
    """Where the master keeps passwords, CA and backups."""
    return Path(opts.get("pgha_state_dir", STATE_DIR))


def failed(name: str, error: Exception) -> dict[str, Any]:
    """The return of a state that could not do its work; nothing but the sentence is shown."""
    return {"name": name, "result": False, "changes": {}, "comment": str(error)}


def state_return(name: str, outcome: Outcome, *, test: bool) -> dict[str, Any]:
    """The return of a state that did its work, or planned it."""
    comment = "Already as declared."
    if outcome.changes:
        comment = "Would be changed." if test else "Changed."
    return {
        "name": name,
        "result": None if test and outcome.changes else True,
        "changes": outcome.changes,
        "comment": " ".join([comment, *outcome.report]) if outcome.report else comment,
    }
