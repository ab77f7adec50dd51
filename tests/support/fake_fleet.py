"""A fleet that answers from a table and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pgha.deploy.fleet import Answer, Applied

Reply = Callable[..., Any]


class FakeFleet:
    """``replies`` maps a function name to a value or to ``callable(minion, **keywords)``."""

    def __init__(self, replies: Mapping[str, Any], silent: Sequence[str] = ()) -> None:
        self.replies = dict(replies)
        self.silent = set(silent)
        self.asked: list[tuple[tuple[str, ...], str, dict[str, Any]]] = []

    def ask(
        self,
        minions: Sequence[str],
        function: str,
        *arguments: Any,
        timeout_s: float = 30,
        **keywords: Any,
    ) -> dict[str, Answer]:
        self.asked.append((tuple(minions), function, {"args": arguments, **keywords}))
        return {minion: self._answer(minion, function, keywords) for minion in minions}

    def apply(
        self, minions: Sequence[str], sls: str, *, test: bool, pillar: Mapping[str, Any]
    ) -> dict[str, Applied]:
        self.asked.append((tuple(minions), f"apply {sls}", {"test": test, **pillar}))
        reply = self.replies.get(f"apply {sls}", Applied())
        return dict.fromkeys(minions, reply)

    def functions(self) -> list[str]:
        """The names of what was asked, in order."""
        return [function for _, function, _ in self.asked]

    def _answer(self, minion: str, function: str, keywords: Mapping[str, Any]) -> Answer:
        if minion in self.silent:
            return Answer(silent=True)
        reply = self.replies[function]
        if isinstance(reply, Answer):
            return reply
        value = reply(minion, **keywords) if callable(reply) else reply
        return Answer(value=value, asked_at=100.0, answered_at=100.5)
