"""A source for each member of etcd, over gRPC or HTTP."""

from __future__ import annotations

from collections.abc import Callable

from pgha_exporter.etcd.collector import Durations, EtcdFacts, MemberCollector
from pgha_exporter.etcd.http_client import HttpClient
from pgha_exporter.etcd.model import Client, Endpoint
from pgha_exporter.etcd.turns import Turns
from pgha_exporter.settings import Settings
from pgha_exporter.source import Source

DEADLINE_S = 2.2


def endpoints_of(settings: Settings) -> list[Endpoint]:
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
    """HTTP or gRPC; etcd3 is only imported, with its 15 MiB, when it is used."""
    if settings.etcd_protocol == "grpc":
        return _over_grpc
    if settings.etcd_protocol == "http" or not has_etcd3():
        return HttpClient
    return _Either()


class _Either:
    """Over HTTP; over gRPC to a member whose gateway has refused once."""

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def __call__(self, endpoint: Endpoint) -> Client:
        if endpoint.url in self._refused:
            return _over_grpc(endpoint)
        return HttpClient(endpoint, lambda: self._refused.add(endpoint.url))


def _over_grpc(endpoint: Endpoint) -> Client:
    from pgha_exporter.etcd.grpc_client import GrpcClient

    return GrpcClient(endpoint)


def has_etcd3() -> bool:
    """Whether etcd3 is installed."""
    import importlib.util

    return all(importlib.util.find_spec(name) for name in ("etcd3", "grpc"))


def etcd_sources(
    endpoints: list[Endpoint],
    new_client: Callable[[Endpoint], Client],
    leader_key: str,
    durations: Durations,
) -> tuple[dict[str, Source[EtcdFacts]], Turns]:
    """The sources by endpoint, and the order in which they are asked."""
    sources: dict[str, Source[EtcdFacts]] = {}

    def source(endpoint: Endpoint) -> Source[EtcdFacts]:
        def asks_lease() -> bool:
            return turns.wants_lease(endpoint.url)

        return Source(
            f"etcd {endpoint.url}",
            lambda: MemberCollector(endpoint, new_client, leader_key, durations, asks_lease),
            DEADLINE_S,
        )

    for endpoint in endpoints:
        sources[endpoint.url] = source(endpoint)
    turns = Turns(sources)
    return sources, turns
