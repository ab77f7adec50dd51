"""What every operation on a running cluster knows: the declared cluster, its servers, how to tell
what is going on, and whether it only plans."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pgha.deploy.fleet import Fleet, values
from pgha.errors import RefusedError
from pgha.topology import Topology

Step = Callable[[str], AbstractContextManager[None]]
Say = Callable[[str], None]

STATE_DIR = Path("/var/lib/pgha-state")


def _hidden(_: str) -> None:
    """Nobody is told how far a step has come."""


@dataclass
class Operation:
    """One run of an operation (or of its ``test=True`` plan).

    Attributes:
        topology: the validated configuration.
        fleet: the servers.
        step: context manager that shows what is being done and how long it took.
        test: only say what would be done; nothing is touched.
        state_dir: the state directory on the Salt master.
        show_progress: shows how far the current step has come, a short text.
        say: shows a line of its own, such as a plan.
    """

    topology: Topology
    fleet: Fleet
    step: Step
    test: bool = False
    state_dir: Path = STATE_DIR
    show_progress: Callable[[str], None] = _hidden
    say: Say = lambda text: None

    @property
    def hosts(self) -> list[str]:
        """Minion ids of the database nodes."""
        return [node.host for node in self.topology.nodes]

    @property
    def controller(self) -> str:
        """Minion id of the only minion that holds the Coolify token."""
        return self.topology.coolify.controller

    @property
    def minions(self) -> list[str]:
        """Every minion that takes part, the controller included, without repetition."""
        return list(dict.fromkeys([*self.hosts, self.controller]))

    def ask_one(self, minion: str, function: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a function on one minion; raises with its sentence when it fails or is silent."""
        keywords.setdefault("cluster", self.topology.cluster)
        return values(self.fleet.ask([minion], function, *arguments, **keywords))[minion]


@dataclass
class Outcome:
    """What an operation did (or, under ``test``, would do).

    ``changes`` is ``{thing: {"old", "new"}}``, empty when everything was as asked for. ``report``
    are the sentences that the operator reads at the end: what changed, how long it took, what is
    left to do.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    report: list[str] = field(default_factory=list)


def require_confirmation(operation: Operation, confirm: str | None, what: str) -> None:
    """Refuse to go on unless the operator has typed the cluster's name.

    Args:
        confirm: what was typed (``CONFIRM=`` of make, ``confirm`` of the orchestration's pillar).
        what: what will be lost or broken, a sentence without its full stop.

    Raises:
        RefusedError: saying what to type.
    """
    if operation.test or confirm == operation.topology.cluster:
        return
    raise RefusedError(
        f"{what}; to do it, confirm with the cluster's name: CONFIRM={operation.topology.cluster} "
        f'(make), or pillar \'{{"confirm": "{operation.topology.cluster}"}}\'.'
    )
