"""When the next collection will probably come, so that what it needs can be asked before it."""

from __future__ import annotations


class Pace:
    """Scrapers keep to an interval: the next one comes as long after the last as that came after
    the one before. A wrong guess costs one question of each source, and the time that it would
    have saved: whatever is too old then is asked for.
    """

    def __init__(self) -> None:
        self._last_at = self._next_at = float("-inf")

    def collected(self, at: float) -> None:
        """A collection began at this monotonic time."""
        if self._last_at > float("-inf"):
            self._next_at = 2 * at - self._last_at
        self._last_at = at

    @property
    def next_at(self) -> float:
        """Monotonic time; minus infinity before the second collection."""
        return self._next_at
