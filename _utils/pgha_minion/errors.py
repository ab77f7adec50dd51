"""The library's errors as Salt's: one sentence for the operator, no traceback.

This package is the minion's side of the library that imports Salt; execution modules share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from salt.exceptions import CommandExecutionError

from pgha.errors import PghaError


@contextmanager
def operator_errors(*also: type[Exception]) -> Iterator[None]:
    """Turn a `PghaError` of the block into the error that Salt shows without a traceback.

    Args:
        also: further errors whose own text is a sentence for the operator, such as `OSError`.
    """
    expected: tuple[type[Exception], ...] = (PghaError, *also)
    try:
        yield
    except expected as err:
        raise CommandExecutionError(str(err)) from err
