"""All sources of one exporter, made from its settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pgha_exporter.backup import Backup, BackupCollector
from pgha_exporter.changes import LeaderChanges
from pgha_exporter.etcd.collector import Durations, EtcdFacts, MemberCollector
from pgha_exporter.etcd.model import Client, Endpoint
from pgha_exporter.etcd.watcher import Watcher
from pgha_exporter.facts import Seen
from pgha_exporter.lag import WalHistory
from pgha_exporter.names import ERROR_REASONS
from pgha_exporter.patroni.api import Api
from pgha_exporter.patroni.collector import ClusterCollector, OwnCollector
from pgha_exporter.patroni.model import Cluster, Own, PatroniFacts
from pgha_exporter.postgres import PostgresCollector, PostgresFacts
from pgha_exporter.route import Route, RouteCollector
from pgha_exporter.server import ServerCollector, ServerFacts
from pgha_exporter.settings import Settings
from pgha_exporter.source import Source, Status

SQL_DEADLINE_S = 1.5
HTTP_DEADLINE_S = 2.0
ETCD_DEADLINE_S = 2.2
POLL_INTERVAL_S = 5.0
NEW_PEER_S = 0.5
ROUTE_INTERVAL_S = 15.0
SLOW_INTERVAL_S = 60.0


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

    def follow(self, cluster: Cluster, until: float) -> None:
        """Take up new members, let go of those that are no longer registered.

        New ones are waited for a little: who has not been asked yet is not unreachable.
        """
        urls = {member.name: self._url(member.name, member.api_url) for member in cluster.members}
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
            self._history.add(seen.at, seen.own.location)
        if seen.own.replayed is not None:
            self._positions[name] = (seen.own.replayed, seen.at)

    def _url(self, name: str, api_url: str | None) -> str:
        # This node's own Patroni is where the settings say, maybe behind another address.
        return self._settings.patroni_url if name == self._settings.member else api_url or ""

    def _source(self, name: str, url: str) -> Source[Seen]:
        api = Api(url, self._settings.patroni_ca_file)
        return Source(
            f"peer {name}",
            lambda: PollCollector(api),
            HTTP_DEADLINE_S,
            interval_s=POLL_INTERVAL_S,
        )


@dataclass
class Sources:
    """None for what is not configured."""

    patroni: Source[PatroniFacts]
    own: Source[Own]
    postgres: Source[PostgresFacts]
    etcd: dict[str, Source[EtcdFacts]]
    peers: Peers
    route: Source[dict[str, Route]] | None
    files: Source[ServerFacts] | None
    backup: Source[dict[str, Backup]] | None
    watcher: Watcher | None

    @classmethod
    def of(
        cls,
        settings: Settings,
        history: WalHistory,
        changes: LeaderChanges,
        durations: Durations,
        identifier: Callable[[], str],
    ) -> Sources:
        endpoints = etcd_endpoints(settings)
        new_client = client_factory(settings)
        prefix = patroni_prefix(settings)
        watcher = Watcher(endpoints, new_client, prefix, changes) if endpoints else None
        url, ca_file = settings.patroni_url, settings.patroni_ca_file
        return cls(
            patroni=Source("patroni", lambda: ClusterCollector(Api(url, ca_file)), HTTP_DEADLINE_S),
            own=Source(
                "patroni own",
                lambda: OwnCollector(Api(url, ca_file)),
                HTTP_DEADLINE_S,
                backs_off=True,
            ),
            postgres=Source(
                "postgres",
                lambda: PostgresCollector(settings.postgres_dsn, settings.postgres_password_file),
                SQL_DEADLINE_S,
            ),
            etcd=_etcd(endpoints, new_client, f"{prefix}leader", durations),
            peers=Peers(settings, history),
            route=_route(settings, identifier),
            files=_files(settings),
            backup=_backup(settings),
            watcher=watcher,
        )

    @property
    def scraped(self) -> list[Source[object]]:
        """Asked at every collection."""
        return [self.patroni, self.own, self.postgres, *self.etcd.values()]  # type: ignore[list-item]

    @property
    def besides(self) -> list[Source[object]]:
        """Asked at their own intervals."""
        found = (self.route, self.files, self.backup)
        return [source for source in found if source is not None]  # type: ignore[misc]

    def tick(self) -> None:
        """Called several times a second."""
        for source in self.besides:
            source.tick()
        self.peers.tick()

    def statuses(self) -> dict[str, Status]:
        """By the label ``source``; the members of etcd are one source together."""
        found = {"patroni": self.patroni.status(), "postgres": self.postgres.status()}
        if self.etcd:
            found["etcd"] = together([source.status() for source in self.etcd.values()])
        return found | {source.name: source.status() for source in self.besides}


def together(statuses: list[Status]) -> Status:
    """Up when one of them is; errors are of all."""
    return Status(
        up=any(status.up for status in statuses),
        last_success=max(status.last_success for status in statuses),
        duration=max(status.duration for status in statuses),
        stuck=max(status.stuck for status in statuses),
        errors={r: sum(status.errors[r] for status in statuses) for r in ERROR_REASONS},
        failure=next((status.failure for status in statuses if status.failure), None),
    )


def patroni_prefix(settings: Settings) -> str:
    """Where Patroni keeps this cluster in etcd, with a slash at the end."""
    return f"/{settings.namespace.strip('/')}/{settings.scope}/"


def etcd_endpoints(settings: Settings) -> list[Endpoint]:
    return [
        Endpoint(
            url,
            settings.etcd_ca_file,
            settings.etcd_cert_file,
            settings.etcd_key_file,
            settings.etcd_username,
            settings.etcd_password_file,
        )
        for url in settings.etcd_endpoints
    ]


def client_factory(settings: Settings) -> Callable[[Endpoint], Client]:
    """gRPC or HTTP; etcd3 is only imported, with its 15 MiB, when it is used."""

    def over_http(endpoint: Endpoint) -> Client:
        from pgha_exporter.etcd.http_client import HttpClient

        return HttpClient(endpoint)

    def over_grpc(endpoint: Endpoint) -> Client:
        from pgha_exporter.etcd.grpc_client import GrpcClient

        return GrpcClient(endpoint)

    if settings.etcd_protocol == "auto":
        return over_grpc if has_etcd3() else over_http
    return over_grpc if settings.etcd_protocol == "grpc" else over_http


def has_etcd3() -> bool:
    """Whether etcd3 is installed."""
    import importlib.util

    return all(importlib.util.find_spec(name) for name in ("etcd3", "grpc"))


def _etcd(
    endpoints: list[Endpoint],
    new_client: Callable[[Endpoint], Client],
    leader_key: str,
    durations: Durations,
) -> dict[str, Source[EtcdFacts]]:
    sources: dict[str, Source[EtcdFacts]] = {}

    def source(endpoint: Endpoint) -> Source[EtcdFacts]:
        def asks_lease() -> bool:
            # One member is enough: the first that answered the last time.
            answering = [url for url, other in sources.items() if other.status().up]
            return not answering or answering[0] == endpoint.url

        return Source(
            f"etcd {endpoint.url}",
            lambda: MemberCollector(endpoint, new_client, leader_key, durations, asks_lease),
            ETCD_DEADLINE_S,
        )

    for endpoint in endpoints:
        sources[endpoint.url] = source(endpoint)
    return sources


def _route(settings: Settings, identifier: Callable[[], str]) -> Source[dict[str, Route]] | None:
    if not settings.route_host:
        return None
    ports = {"rw": settings.route_rw_port, "ro": settings.route_ro_port}
    return Source(
        "route",
        lambda: RouteCollector(
            settings.postgres_dsn,
            settings.postgres_password_file,
            settings.route_host,
            ports,
            settings.route_ca_file,
            identifier,
        ),
        9.0,
        interval_s=ROUTE_INTERVAL_S,
    )


def _files(settings: Settings) -> Source[ServerFacts] | None:
    volumes = {"data": settings.data_directory, "wal": settings.wal_directory}
    volumes = {name: path for name, path in volumes.items() if path}
    if not (volumes or settings.certificate_directory or settings.served_ports):
        return None
    return Source(
        "files",
        lambda: ServerCollector(settings.certificate_directory, settings.served_ports, volumes),
        15.0,
        interval_s=SLOW_INTERVAL_S,
    )


def _backup(settings: Settings) -> Source[dict[str, Backup]] | None:
    if not settings.backup_status_file:
        return None
    return Source(
        "backup",
        lambda: BackupCollector(settings.backup_status_file),
        5.0,
        interval_s=SLOW_INTERVAL_S,
    )
