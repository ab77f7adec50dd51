"""What every state that looks, acts and looks again returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from pgha_minion.settle import Sentences, settle

SAID = Sentences("fine", "would change {keys}", "changed {keys}", "still differ: {keys}")
BOTH = {"a": {"old": 1, "new": 2}, "b": {"old": 1, "new": 2}}
ONE = {"b": BOTH["b"]}
DOWN = CommandExecutionError("It is down.")


def looks(*seen: Any) -> Callable[[], Any]:
    """A look that finds one thing after the other; an error among them is raised."""
    rest: Iterator[Any] = iter(seen)

    def look() -> Any:
        found = next(rest)
        if isinstance(found, Exception):
            raise found
        return found

    return look


def fails() -> None:
    raise CommandExecutionError("It said no.")


@pytest.mark.parametrize(
    ("seen", "act", "result", "changes", "comment"),
    [
        pytest.param([{}], fails, True, {}, "fine", id="as it should be"),
        pytest.param([BOTH, {}], dict, True, BOTH, "changed a, b", id="changed"),
        pytest.param([BOTH, ONE], dict, False, BOTH, "still differ: b", id="a difference stays"),
        pytest.param([DOWN], dict, False, {}, "It is down.", id="the first look fails"),
        pytest.param([BOTH, DOWN], dict, False, BOTH, "It is down.", id="the second look fails"),
        pytest.param([BOTH, BOTH], fails, False, {}, "It said no.", id="acting fails"),
        pytest.param(
            [BOTH, ONE], fails, False, {"a": BOTH["a"]}, "It said no.", id="acting fails half way"
        ),
        pytest.param(
            [BOTH, DOWN], fails, False, {}, "It said no.", id="acting fails and nobody can look"
        ),
    ],
)
def test_what_happened_is_what_is_returned(
    seen: list[Any], act: Callable[[], object], result: bool, changes: Any, comment: str
) -> None:
    ret = settle("x", looks(*seen), act, SAID, test=False)
    assert ret == {"name": "x", "result": result, "changes": changes, "comment": comment}


def test_the_plan_does_not_act_and_is_remarked_on() -> None:
    ret = settle("x", looks(BOTH), fails, SAID, test=True, remark=lambda: "Later more.")
    assert (ret["result"], ret["changes"]) == (None, BOTH)
    assert ret["comment"] == "would change a, b Later more."
