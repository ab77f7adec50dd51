"""One collection after the other: ask all sources at once, put together what came, render it.

Sources are asked at most once a second, however many scrapers there are; those that come in
between, or while a collection runs, get its result.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.exposition import choose_encoder

from pgha_exporter import names
from pgha_exporter.changes import LeaderChanges
from pgha_exporter.etcd.collector import Durations
from pgha_exporter.etcd.turns import Answers
from pgha_exporter.expected import ExpectedMembers
from pgha_exporter.facts import Facts, Seen
from pgha_exporter.lag import WalHistory
from pgha_exporter.members import from_members
from pgha_exporter.pace import Pace
from pgha_exporter.patroni.model import PatroniFacts
from pgha_exporter.process import Process
from pgha_exporter.publish import cluster, etcd, node, rest
from pgha_exporter.rendering import Rendering
from pgha_exporter.samples import Samples
from pgha_exporter.settings import Settings
from pgha_exporter.source import Status
from pgha_exporter.sources import Sources, patroni_prefix

VERSION = "0.1.0"
BUDGET_S = 2.4
"""Longest time of a collection: an answer must be out within 3 s whatever is frozen."""
REUSED_S = 1.0
TICK_S = 1.0
QUIET_S = 0.1
"""Longest wait for a collection to end before other work begins beside it."""


@dataclass(frozen=True)
class Collection:
    """The result of one collection; ``at`` and ``done`` are monotonic times of begin and end."""

    at: float
    done: float
    facts: Facts
    samples: Samples
    statuses: dict[str, Status]


class Exporter:
    """See the module. Threads start with `start`; nothing is asked before."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._started_at = time.time()
        self._history, self._durations = WalHistory(), Durations()
        self._changes = LeaderChanges(patroni_prefix(settings), self._history)
        self._expected = ExpectedMembers(settings.members_expected, settings.state_directory)
        self._identifier = ""
        self._sources = Sources.of(
            settings, self._history, self._changes, self._durations, lambda: self._identifier
        )
        self._process = Process()
        self._pace = Pace()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._last: Collection | None = None
        self._rendering = Rendering()
        self._texts: dict[str, tuple[float, bytes]] = {}
        self._collections = self._scrapes = 0

    def start(self) -> None:
        """Begin to follow etcd and to ask what is asked at intervals."""
        if self._sources.watcher:
            self._sources.watcher.start()
        threading.Thread(target=self._tick, name="ticker", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._sources.watcher:
            self._sources.watcher.stop()

    @property
    def is_ready(self) -> bool:
        """Whether there has been a collection."""
        return self._last is not None

    def collect(self, budget_s: float = BUDGET_S) -> Collection:
        """The newest collection, at most a second old; takes at most ``budget_s``.

        Who comes while a slow one runs gets its result: a second one would only take as long again.
        """
        arrived = time.monotonic()
        with self._lock:
            last = self._last
            if last is None or (arrived > last.done and arrived - last.at >= REUSED_S):
                last = self._last = self._collected(min(budget_s, BUDGET_S))
            return last

    def metrics(self, accept: str, budget_s: float = BUDGET_S) -> tuple[bytes, str]:
        """The exposition and its content type, in the format that the scraper prefers."""
        collection = self.collect(budget_s)
        encode, content_type = choose_encoder(accept)
        with self._lock:
            self._scrapes += 1
            at, text = self._texts.get(content_type, (float("-inf"), b""))
            if at != collection.at:
                rows = (*collection.samples.rows(), *self._process.rows(collection.at))
                text = self._rendering.text(encode, content_type, rows)
                self._texts[content_type] = (collection.at, text)
        return text, content_type

    def _collected(self, budget_s: float) -> Collection:
        started = time.monotonic()
        self._collections += 1
        self._pace.collected(started)
        facts = self._facts(started, started + budget_s)
        statuses = self._sources.statuses()
        samples = Samples(self.settings.scope)
        self._publish(samples, facts, statuses)
        return Collection(started, time.monotonic(), facts, samples, statuses)

    def _facts(self, started: float, until: float) -> Facts:
        sources = self._sources
        sources.ask()
        postgres, etcd_facts = sources.postgres.wait(until), sources.turns.wait(until)
        patroni = self._patroni(etcd_facts, until)
        if patroni and patroni.config:
            sources.turns.lease_renewed_at = patroni.config.lease_at_renewal
        sources.peers.follow(patroni.cluster if patroni else None, until)
        if postgres:
            self._know(postgres.system_identifier)
            if postgres.writable and postgres.current is not None:
                self._history.add(time.monotonic(), postgres.current, postgres.timeline)
        polled = sources.peers.seen()
        facts = Facts(
            member=self.settings.member,
            now=time.monotonic(),
            patroni=_of_now(patroni, polled),
            postgres=postgres,
            polled=polled,
            positions=sources.peers.positions,
            etcd=etcd_facts,
            routes=sources.route.recent() if sources.route else None,
            server=sources.files.recent() if sources.files else None,
            backups=sources.backup.recent() if sources.backup else None,
        )
        if facts.has_quorum:
            self._changes.polled(facts.leader, facts.now, time.time())
        return facts

    def _patroni(self, etcd_facts: Answers, until: float) -> PatroniFacts | None:
        """Asked again when etcd tells of another leader than its last answer."""
        source = self._sources.patroni
        patroni = source.wait(until)
        known = Facts(self.settings.member, time.monotonic(), patroni, etcd=etcd_facts)
        told = patroni.cluster.leader if patroni else None
        if patroni and known.has_quorum and known.leader != (told.name if told else None):
            source.ask()
            patroni = source.wait(until)
        return patroni

    def _know(self, identifier: str) -> None:
        if self._identifier not in ("", identifier):  # restored: another database system
            self._history.forget()
        self._identifier = identifier

    def _publish(self, samples: Samples, facts: Facts, statuses: dict[str, Status]) -> None:
        rest.build(samples, VERSION)
        rest.sources(samples, statuses)
        samples.add(names.COLLECTIONS, self._collections)
        samples.add(names.SCRAPES, self._scrapes)
        node.publish(samples, facts)
        members = len(facts.patroni.cluster.members) if facts.patroni else 0
        cluster.publish(samples, facts, self._history, self._expected.seen(members) or None)
        told = facts.patroni.last_change if facts.patroni else 0.0
        cluster.changes(samples, self._changes.counts(facts.now), told, self._started_at)
        etcd.publish(samples, facts, self._durations, self.settings.etcd_quota_bytes)
        rest.publish(samples, facts)
        rest.routes(samples, facts, bool(self.settings.route_host))

    def _tick(self) -> None:
        self._tick_once()
        while not self._stopped.wait(TICK_S):
            self._tick_once()

    def _tick_once(self) -> None:
        # What can wait does not compete with a scrape for the processor.
        between_collections = self._lock.acquire(timeout=QUIET_S)
        try:
            self._sources.tick()
            if between_collections:
                self._sources.ask_ahead(self._pace.next_at)
        finally:
            if between_collections:
                self._lock.release()


def _of_now(patroni: PatroniFacts | None, polled: Mapping[str, Seen]) -> PatroniFacts | None:
    if patroni is None or patroni.current:
        return patroni
    owns = {name: seen.own for name, seen in polled.items()}
    return dataclasses.replace(patroni, cluster=from_members(patroni.cluster, owns))
