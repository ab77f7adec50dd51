"""Errors of the library, one class per meaning; every message is a sentence for the operator.

    PghaError
    ├── ConfigurationError     the declared configuration is wrong; holds every problem found
    ├── UnreachableError       nobody answered (refused, no route, name unknown, TLS failed)
    ├── RefusedError           the other side answered and said no (401, 403, 422, ...)
    ├── UnexpectedAnswerError  the other side answered something that cannot be its answer
    ├── NotFoundError          the thing named does not exist; says what does
    ├── ConflictError          two things claim the same place (duplicate name, concurrent change)
    │   └── BusyError          another run holds the lock; says which
    ├── TimedOutError          a bounded wait ended; holds the last observation
    ├── FailedError            what was waited for has failed and waiting longer is useless
    └── DamagedStateError      a file in the state directory cannot be used; says which

A message says what is wrong, where, and what to do next. It never contains a secret.
"""

from __future__ import annotations

from collections.abc import Sequence


class PghaError(Exception):
    """Base of every error that the library raises on purpose."""


class ConfigurationError(PghaError):
    """The pillar is wrong.

    Args:
        problems: one sentence per problem, all that were found, at least one.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        lines = [f"{len(self.problems)} problems in the pillar:"]
        return "\n".join([*lines, *(f"  - {problem}" for problem in self.problems)])

    def __reduce__(self) -> tuple[type[ConfigurationError], tuple[tuple[str, ...]]]:
        # Salt moves exceptions between processes; without this the text becomes the problem list.
        return (type(self), (self.problems,))


class UnreachableError(PghaError):
    """Nobody answered at the address."""


class RefusedError(PghaError):
    """The other side answered and said no."""


class UnexpectedAnswerError(PghaError):
    """The other side answered something that cannot be its answer."""


class NotFoundError(PghaError):
    """The thing named does not exist."""


class ConflictError(PghaError):
    """Two things claim the same place."""


class BusyError(ConflictError):
    """Another run holds the lock."""


class TimedOutError(PghaError):
    """A bounded wait ended before what it waited for happened."""


class FailedError(PghaError):
    """What was waited for has failed; waiting longer is useless."""


class DamagedStateError(PghaError):
    """A file in the state directory cannot be used."""
