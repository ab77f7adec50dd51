"""All members, this node's own with them, each asked by this node itself."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pgha_exporter.facts import Seen
from pgha_exporter.lag import WalHistory
from pgha_exporter.patroni.api import Api
from pgha_exporter.patroni.collector import HTTP_DEADLINE_S, OwnCollector
from pgha_exporter.patroni.model import Cluster
from pgha_exporter.settings import Settings
from pgha_exporter.source import Source

POLL_INTERVAL_S = 10.0
NEW_PEER_S = 0.5


class PollCollector:
    """``/patroni`` of a member with the time of the answer."""

    def __init__(self, api: Api) -> None:
        self._own = OwnCollector(api)

    def collect(self) -> Seen:
        return Seen(self._own.collect(), time.monotonic())

    def abort(self) -> None:
        pass


class Peers:
    """A source for each member that Patroni knows; they come and go with the members."""

    def __init__(self, settings: Settings, history: WalHistory) -> None:
        self._settings, self._history = settings, history
        self._sources: dict[str, tuple[str, Source[Seen]]] = {}
        self._positions: dict[str, tuple[int, float]] = {}
        self._asked_at = float("-inf")

    def follow(self, cluster: Cluster | None, until: float) -> None:
        """Take up new members, let go of those that are no longer registered.

        New ones are waited for a little: who has not been asked yet is not unreachable.

        Args:
            cluster: None when it is not known who is registered: then nobody is let go.
        """
        urls = self._urls(cluster)
        for name in [*self._sources]:
            if urls.get(name) != self._sources[name][0]:
                self._sources.pop(name)[1].stop()
                self._positions.pop(name, None)
        new = {name: url for name, url in urls.items() if url and name not in self._sources}
        sources = {name: (url, self._source(name, url)) for name, url in new.items()}
        self._sources.update(sources)
        for _, source in sources.values():
            source.ask()
        for _, source in sources.values():
            source.wait(min(until, time.monotonic() + NEW_PEER_S))

    def tick(self) -> None:
        # All at once: positions of two members can be compared when they are of one moment.
        due = time.monotonic() - self._asked_at >= POLL_INTERVAL_S
        if due:
            self._asked_at = time.monotonic()
        for _, source in [*self._sources.values()]:
            if due:
                source.ask()
            source.tick()
        # Positions are kept as they come, not only when somebody scrapes.
        self.seen()

    def seen(self) -> dict[str, Seen]:
        """The members that answered the last time they were asked."""
        found = {
            name: seen
            for name, (_, source) in [*self._sources.items()]
            if (seen := source.recent()) is not None
        }
        for name, seen in found.items():
            self._keep(name, seen)
        return found

    @property
    def positions(self) -> Mapping[str, tuple[int, float]]:
        """(replay position, when) as last known."""
        return dict(self._positions)

    def _keep(self, name: str, seen: Seen) -> None:
        if seen.own.location is not None:
            self._history.add(seen.at, seen.own.location, seen.own.timeline)
        if seen.own.replayed is not None:
            self._positions[name] = (seen.own.replayed, seen.at)

    def _urls(self, cluster: Cluster | None) -> dict[str, str]:
        urls = {name: url for name, (url, _) in self._sources.items()}
        if cluster:
            urls = {member.name: member.api_url or "" for member in cluster.members}
        # This node's own Patroni is where the settings say, maybe behind another address, and is
        # asked before it is registered, too.
        return {**urls, self._settings.member: self._settings.patroni_url}

    def _source(self, name: str, url: str) -> Source[Seen]:
        api = Api(url, self._settings.patroni_ca_file)
        return Source(
            f"peer {name}",
            lambda: PollCollector(api),
            HTTP_DEADLINE_S,
            interval_s=POLL_INTERVAL_S,
        )
