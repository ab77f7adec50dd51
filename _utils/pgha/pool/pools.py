"""The pools of all servers together: held at the same time, let go at the same time.

Two connections per server are opened before anything is held: one waits in ``PAUSE``, the other is
there for ``RESUME``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from pgha.errors import PghaError, TimedOutError, UnreachableError
from pgha.pool.console import Console
from pgha.topology import Node
from pgha.transport import in_parallel
from pgha.wait import Pending, poll

RESUME_DEADLINE_S = 10.0
RETRY_S = 0.1

Open = Callable[[Node], Console]


class Pools:
    """The reachable pools of some nodes; closes its connections at the end of the block.

    Args:
        nodes: every server whose pool is asked.
        connect: opens the console of one of them.

    ``unreachable`` is ``{host: sentence}`` of the pools that could not be opened.
    """

    def __init__(self, nodes: Sequence[Node], connect: Open) -> None:
        self._connect = connect
        pairs = in_parallel({node.host: partial(self._pair, node) for node in nodes})
        self._nodes = {node.host: node for node in nodes}
        self._consoles = {host: pair for host, pair in pairs.items() if isinstance(pair, tuple)}
        self.unreachable = {host: str(err) for host, err in pairs.items() if _failed(err)}
        self._held_at: float | None = None
        self.held_s = 0.0

    def paused(self) -> list[str]:
        """Hosts whose pool is held right now, by whomever."""
        found = in_parallel(
            {host: resumer.is_paused for host, (_, resumer) in self._consoles.items()}
        )
        return sorted(host for host, paused in found.items() if paused)

    def pause(self, limit_s: float) -> dict[str, str]:
        """Hold all clients of all pools.

        Returns:
            ``{host: sentence}`` of the pools that are not quiet after ``limit_s`` (empty: all of
            them are): transactions go on there although their clients are held afterwards.
        """
        self._held_at = time.monotonic()
        outcomes = in_parallel(
            {
                host: partial(_attempt, partial(pauser.pause, limit_s))
                for host, (pauser, _) in self._consoles.items()
            }
        )
        return {host: str(err) for host, err in outcomes.items() if err is not None}

    def busy(self, host: str) -> int | None:
        """Running transactions of one pool, None when it does not say."""
        with suppress(PghaError):
            return self._consoles[host][1].busy()
        return None

    def resume(self, deadline_s: float = RESUME_DEADLINE_S) -> dict[str, str]:
        """Let all clients go, also when some pool was never held.

        Returns:
            ``{host: sentence}`` of the pools that could not be told.
        """
        outcomes = in_parallel(
            {
                host: partial(_attempt, partial(self._resume, host, deadline_s))
                for host in self._consoles
            }
        )
        if self._held_at is not None:
            self.held_s = time.monotonic() - self._held_at
            self._held_at = None
        return {host: str(err) for host, err in outcomes.items() if err is not None}

    def close(self) -> None:
        for pair in self._consoles.values():
            for console in pair:
                console.close()

    def __enter__(self) -> Pools:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pair(self, node: Node) -> tuple[Console, Console] | PghaError:
        try:
            return self._connect(node), self._connect(node)
        except PghaError as err:
            return err

    def _resume(self, host: str, deadline_s: float) -> None:
        def attempt() -> bool | Pending:
            try:
                self._consoles[host][1].resume()
            except (UnreachableError, TimedOutError) as err:
                self._reopen(host)
                return Pending(str(err))
            return True

        poll(attempt, deadline_s=deadline_s, interval_s=RETRY_S, what=f"RESUME on {host}")

    def _reopen(self, host: str) -> None:
        pauser, broken = self._consoles[host]
        broken.close()
        with suppress(UnreachableError):
            self._consoles[host] = (pauser, self._connect(self._nodes[host]))


def sentences(unreachable: Mapping[str, str]) -> str:
    """Several servers' sentences as one text."""
    return " ".join(unreachable[host] for host in sorted(unreachable))


def _failed(outcome: object) -> bool:
    return isinstance(outcome, PghaError)


def _attempt(call: Callable[[], object]) -> PghaError | None:
    try:
        call()
    except PghaError as err:
        return err
    return None
