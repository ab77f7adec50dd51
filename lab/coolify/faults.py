"""Faults that tests can switch on (only with --faults)."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("429", "500", "503", "html", "hang", "drop")


@dataclass
class Fault:
    """The next `remaining` API requests that match get this answer.

    kind: a status, `html` (200 with an HTML page, as a proxy's login page), `hang` (no answer for
    `seconds`), `drop` (connection closed in the middle of the answer).
    """

    kind: str
    remaining: int
    method: str | None = None
    path: str | None = None
    seconds: float = 3600.0

    def matches(self, method: str, path: str) -> bool:
        return (self.method in (None, method)) and (self.path is None or self.path in path)


class Faults:
    def __init__(self) -> None:
        self._pending: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._pending.append(fault)

    def clear(self) -> None:
        self._pending.clear()

    def pending(self) -> list[Fault]:
        return list(self._pending)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, counted down; None when there is none."""
        for fault in self._pending:
            if fault.matches(method, path):
                fault.remaining -= 1
                if fault.remaining <= 0:
                    self._pending.remove(fault)
                return fault
        return None
