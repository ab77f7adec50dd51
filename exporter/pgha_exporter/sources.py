"""All sources of one exporter, made from its settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pgha_exporter.backup import Backup, BackupCollector
from pgha_exporter.changes import LeaderChanges
from pgha_exporter.etcd.collector import Durations, EtcdFacts
from pgha_exporter.etcd.sources import client_factory, endpoints_of, etcd_sources
from pgha_exporter.etcd.turns import Turns
from pgha_exporter.etcd.watcher import Watcher
from pgha_exporter.lag import WalHistory
from pgha_exporter.names import ERROR_REASONS
from pgha_exporter.patroni.api import Api
from pgha_exporter.patroni.collector import HTTP_DEADLINE_S, ClusterCollector
from pgha_exporter.patroni.model import PatroniFacts
from pgha_exporter.peers import Peers
from pgha_exporter.postgres import PostgresCollector, PostgresFacts
from pgha_exporter.route import Route, RouteCollector
from pgha_exporter.server import ServerCollector, ServerFacts
from pgha_exporter.settings import Settings
from pgha_exporter.source import FRESH_S, Source, Status

SQL_DEADLINE_S = 1.5
AHEAD_S = 2.0
"""How long before a collection is expected its questions are asked, with a tick's imprecision."""
ROUTE_INTERVAL_S = 30.0
ROUTE_AGAIN_S = 3.0
"""How soon a failed check is repeated: several within the 30 s after which PghaRouteWrong fires, so
that one connection into a failover, or to a replica that just froze, wakes nobody up."""
SLOW_INTERVAL_S = 60.0


@dataclass
class Sources:
    """None for what is not configured."""

    patroni: Source[PatroniFacts]
    postgres: Source[PostgresFacts]
    etcd: dict[str, Source[EtcdFacts]]
    turns: Turns
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
        endpoints = endpoints_of(settings)
        new_client = client_factory(settings)
        prefix = patroni_prefix(settings)
        watcher = Watcher(endpoints, new_client, prefix, changes) if endpoints else None
        url, ca_file = settings.patroni_url, settings.patroni_ca_file
        etcd, turns = etcd_sources(endpoints, new_client, f"{prefix}leader", durations)
        return cls(
            patroni=Source("patroni", lambda: ClusterCollector(Api(url, ca_file)), HTTP_DEADLINE_S),
            postgres=Source(
                "postgres",
                lambda: PostgresCollector(settings.postgres_dsn, settings.postgres_password_file),
                SQL_DEADLINE_S,
            ),
            etcd=etcd,
            turns=turns,
            peers=Peers(settings, history),
            route=_route(settings, identifier),
            files=_files(settings),
            backup=_backup(settings),
            watcher=watcher,
        )

    def ask(self) -> None:
        """Ask what a collection asks."""
        self.patroni.ask(unless_younger_s=FRESH_S)
        self.postgres.ask()
        self.turns.ask()

    def ask_ahead(self, needed_at: float) -> None:
        """Soon before a collection: what it would find too old then, and would have to wait for.

        Patroni takes 5 to 15 ms, because it asks etcd itself, and all members of etcd as long.
        Not while a collection runs.

        Args:
            needed_at: monotonic time of that collection.
        """
        if needed_at - time.monotonic() <= AHEAD_S:
            self.patroni.ask_ahead(needed_at)
            self.turns.ask_ahead(needed_at)

    @property
    def besides(self) -> list[Source[object]]:
        """Asked at their own intervals."""
        found = (self.route, self.files, self.backup)
        return [source for source in found if source is not None]  # type: ignore[misc]

    def tick(self) -> None:
        """Called every second."""
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
        pause_s=_pause_of_routes,
    )


def _pause_of_routes(routes: dict[str, Route] | None) -> float:
    all_ok = routes is not None and all(route.ok for route in routes.values())
    return ROUTE_INTERVAL_S if all_ok else ROUTE_AGAIN_S


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
