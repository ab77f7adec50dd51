"""Metrics of the server, the routes, the backups, and of the exporter itself."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from pgha_exporter import names
from pgha_exporter.facts import Facts
from pgha_exporter.samples import Samples
from pgha_exporter.source import Status


def publish(samples: Samples, facts: Facts) -> None:
    """The server, the routes and the backups."""
    if facts.server:
        for use, end in facts.server.certificates.items():
            samples.add(names.CERTIFICATE_NOT_AFTER, end, facts.member, use)
        for volume, space in facts.server.volumes.items():
            samples.add(names.FILESYSTEM_AVAIL, space.available, facts.member, volume)
            samples.add(names.FILESYSTEM_SIZE, space.size, facts.member, volume)
    for kind, backup in (facts.backups or {}).items():
        samples.add(names.BACKUP_LAST_SUCCESS, backup.last_success, kind)
        samples.add(names.BACKUP_LAST_VERIFIED, backup.last_verified, kind)


def routes(samples: Samples, facts: Facts, configured: bool) -> None:
    """A route that is not known to work does not."""
    for name in names.ROUTES if configured else ():
        route = (facts.routes or {}).get(name)
        samples.add(names.ROUTE_OK, bool(route and route.ok), name)
        samples.add(names.ROUTE_DURATION, route.duration if route and route.ok else None, name)


def sources(samples: Samples, statuses: Mapping[str, Status]) -> None:
    """Every source that this node has, by its label."""
    for name, status in statuses.items():
        samples.add(names.SOURCE_UP, status.up, name)
        samples.add(names.SOURCE_LAST_SUCCESS, status.last_success, name)
        samples.add(names.SOURCE_DURATION, status.duration, name)
        samples.add(names.SOURCE_STUCK, status.stuck, name)
        for reason, count in status.errors.items():
            samples.add(names.SOURCE_ERRORS, count, name, reason)


def build(samples: Samples, version: str) -> None:
    samples.info(names.BUILD_INFO, version, platform.python_version())
