"""What a fleet operation needs of the servers: ask many minions at once, apply states to them.

The library knows only these shapes; ``pgha_master.fleet`` fills them with Salt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pgha.errors import FailedError, UnreachableError


@dataclass(frozen=True)
class Answer:
    """What one minion answered: ``value``, or ``error`` as a sentence; ``silent`` if it did not."""

    value: Any = None
    error: str | None = None
    silent: bool = False
    asked_at: float = 0.0
    answered_at: float = 0.0


@dataclass(frozen=True)
class Applied:
    """Result of a state run on one minion: ``changes`` by state id, ``failed`` comments by id."""

    changes: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)


class Fleet(Protocol):
    """Many servers behind one Salt master."""

    def ask(
        self,
        minions: Sequence[str],
        function: str,
        *arguments: Any,
        timeout_s: float = 30,
        **keywords: Any,
    ) -> dict[str, Answer]:
        """Call a function on minions in parallel; every minion asked is a key of the result."""
        ...

    def apply(
        self, minions: Sequence[str], sls: str, *, test: bool, pillar: Mapping[str, Any]
    ) -> dict[str, Applied]:
        """Apply an SLS on minions in parallel; a silent minion has a ``failed`` entry."""
        ...


def values(answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Return the values of all answers.

    Raises:
        UnreachableError: naming every minion that did not answer.
        FailedError: with the sentence of every minion that answered with an error.
    """
    silent = sorted(minion for minion, answer in answers.items() if answer.silent)
    if silent:
        raise UnreachableError(
            f"no answer from the minion{'s' if len(silent) > 1 else ''} {', '.join(silent)}; "
            "check salt-minion there and `salt-key --list all` on the master, then run again"
        )
    failed = [
        f"{minion}: {answer.error}" for minion, answer in sorted(answers.items()) if answer.error
    ]
    if failed:
        raise FailedError("\n".join(failed))
    return {minion: answer.value for minion, answer in answers.items()}


def applied_changes(results: Mapping[str, Applied]) -> dict[str, Any]:
    """Return ``{minion: {state id: changes}}``; raises FailedError with every failed state."""
    failed = [
        f"{minion}: {comment}"
        for minion, result in sorted(results.items())
        for comment in result.failed.values()
    ]
    if failed:
        raise FailedError("\n".join(dict.fromkeys(failed)))
    return {minion: result.changes for minion, result in results.items() if result.changes}
