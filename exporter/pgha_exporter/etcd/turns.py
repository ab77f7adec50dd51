"""Which members of etcd a collection asks, and whose last answer is still good.

Every question costs the exporter CPU, so only one voter is asked when collections follow each other
quickly: mostly etcd's leader, to which the others would have to turn for a read with quorum (3 ms
on the lab, 5 to 7 through them), and each of them before its answer is too old. Two rules hold at
any pace: a collection shows a quorum only after a read with quorum that ended since it began, and
no member's answer is older than `FRESH_S`. Scraped less often than that, everybody is asked each
time, soon before the collection when its time can be guessed.

The lease is asked for when the leader must have renewed it since the last answer, or else is late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from pgha_exporter.etcd.collector import EtcdFacts
from pgha_exporter.etcd.lease import lease_left
from pgha_exporter.source import FRESH_S, Source

RENEWED_S = 0.6 * FRESH_S
Answers = dict[str, EtcdFacts | None]


class Turns:
    """Asks for one collection after the other: `ask`, then `wait`.

    Args:
        sources: by endpoint.

    Attributes:
        lease_renewed_at: seconds that the lease has left when the leader renews it, Patroni's ttl
            less its loop_wait; infinite while they are unknown, then the lease is asked for in
            each collection.
    """

    def __init__(
        self,
        sources: Mapping[str, Source[EtcdFacts]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources, self._clock = sources, clock
        self._answers: Answers = dict.fromkeys(sources)
        self._asked: set[str] = set()
        self._reader, self._lease_of = "", ""
        self.lease_renewed_at = float("inf")

    def ask(self) -> None:
        """Ask whoever is due and, for the read with quorum, one voter."""
        under_way = {url for url in self._asked if self._sources[url].is_asked}
        self._take(self._asked - under_way, self._clock())  # asked ahead
        self._reader = self._next_reader()
        due = {url for url in self._sources if url == self._reader or self._is_due(url)}
        self._asked = due | under_way
        self._ask_lease(self._clock())
        self._ask(self._asked)

    def ask_ahead(self, needed_at: float) -> None:
        """Before a collection, not during one: ask whose answer would be too old at that time."""
        due = {url for url in self._sources if self._is_fine(url) and self._is_old(url, needed_at)}
        self._reader = next(filter(self._leads, due), min(due, default=""))
        if due:
            self._ask_lease(needed_at)
        for url in due:
            self._sources[url].ask_ahead(needed_at)
        self._asked |= due

    def wait(self, until: float) -> Answers:
        """Every endpoint's answer, None for those that gave none by ``until`` (clock)."""
        self._take(self._asked, until)
        if not any(self._has_quorum(url) for url in self._asked):
            # Somebody else may have it; an older answer must not stand for it.
            others = [url for url in self._sources if url not in self._asked]
            self._reader = others[0] if others else self._reader
            self._ask_lease(self._clock())
            self._ask(others)
            self._take(others, until)
        self._asked = set()
        return dict(self._answers)

    def wants_lease(self, url: str) -> bool:
        """Whether this member is the one to be asked for the lease: one is enough."""
        return url == self._lease_of

    def _next_reader(self) -> str:
        """etcd's leader, or the voter whose answer will soon be too old."""
        voters = [url for url, facts in self._answers.items() if facts and facts.has_quorum]
        if not voters:
            return next(iter(self._sources), "")
        oldest = min(voters, key=self._answered_at)
        if self._clock() - self._answered_at(oldest) >= RENEWED_S:
            return oldest
        return next(filter(self._leads, voters), oldest)

    def _leads(self, url: str) -> bool:
        facts = self._answers.get(url)
        return bool(facts and facts.status.leader_id == facts.status.member_id)

    def _ask(self, urls: Iterable[str]) -> None:
        for url in urls:
            self._sources[url].ask()

    def _ask_lease(self, needed_at: float) -> None:
        """Of who is asked anyway."""
        reads = [facts for facts in self._answers.values() if facts and facts.has_quorum]
        left = lease_left(reads, needed_at)
        if not self._lease_of and (left is None or left < self.lease_renewed_at):
            self._lease_of = self._reader

    def _take(self, urls: Iterable[str], until: float) -> None:
        for url in urls:
            self._answers[url] = self._sources[url].wait(until)
            if url == self._lease_of:
                self._lease_of = ""

    def _is_due(self, url: str) -> bool:
        return not self._is_fine(url) or self._is_old(url, self._clock())

    def _is_fine(self, url: str) -> bool:
        facts = self._answers[url]
        return bool(facts and (facts.has_quorum or facts.status.is_learner))

    def _is_old(self, url: str, at: float) -> bool:
        return at - self._answered_at(url) >= FRESH_S

    def _has_quorum(self, url: str) -> bool:
        facts = self._answers[url]
        return bool(facts and facts.has_quorum)

    def _answered_at(self, url: str) -> float:
        facts = self._answers[url]
        return facts.at if facts else float("-inf")
