"""The way of a state: look, compare, act, look again and compare again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from salt.exceptions import CommandExecutionError

Changes = Mapping[str, Any]
Look = Callable[[], Changes]


@dataclass(frozen=True)
class Sentences:
    """What a state comments. ``{keys}`` in one stands for the names of what differs.

    `fine`: nothing differs. `would`: what acting would do. `done`: what was done. `left`: it was
    done and the second look still finds differences.
    """

    fine: str
    would: str
    done: str
    left: str


def settle(
    name: str,
    look: Look,
    act: Callable[[], object],
    said: Sentences,
    *,
    test: bool,
    look_again: Look | None = None,
    remark: Callable[[], str] = str,
) -> dict[str, Any]:
    """Bring something to what it should be and return what Salt expects of a state.

    Args:
        look: the changes that acting would make; empty when nothing differs.
        test: look and tell only.
        look_again: the look after acting, where it is another one.
        remark: a further sentence, asked for when the comment is written.

    A `CommandExecutionError` becomes the comment of a failed state. When acting fails, ``changes``
    are those that a second look no longer wants; when only the second look fails, all of them.
    """
    changes: Changes = {}
    try:
        found = look()
        if not found:
            return _state(name, True, {}, _filled(said.fine, {}, remark()))
        if test:
            return _state(name, None, found, _filled(said.would, found, remark()))
        _act(act, look, found)
        changes = found
        left = (look_again or look)()
    except _HalfDoneError as err:
        return _state(name, False, err.changes, str(err))
    except CommandExecutionError as err:
        return _state(name, False, changes, str(err))
    if left:
        return _state(name, False, changes, _filled(said.left, left))
    return _state(name, True, changes, _filled(said.done, changes, remark()))


class _HalfDoneError(Exception):
    """Acting failed; with what had been done by then."""

    def __init__(self, sentence: str, changes: Changes) -> None:
        super().__init__(sentence)
        self.changes = changes


def _act(act: Callable[[], object], look: Look, wanted: Changes) -> None:
    try:
        act()
    except CommandExecutionError as err:
        try:
            left = look()
        except CommandExecutionError:
            left = wanted  # nobody knows, so nothing is claimed
        done = {key: change for key, change in wanted.items() if key not in left}
        raise _HalfDoneError(str(err), done) from err


def _state(name: str, result: bool | None, changes: Changes, comment: str) -> dict[str, Any]:
    return {"name": name, "result": result, "changes": dict(changes), "comment": comment}


def _filled(sentence: str, differing: Changes, remark: str = "") -> str:
    said = sentence.replace("{keys}", ", ".join(sorted(differing)))
    return f"{said} {remark}".strip()
