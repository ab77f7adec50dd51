"""Which compose services become `databases` (contract 3.9, Coolify's isDatabaseImage)."""

from __future__ import annotations

from typing import Any

from .errors import ParserError

DATABASE_IMAGES = frozenset(
    {
        *("mysql", "mysql-server", "mariadb", "postgres", "postgresql", "postgis", "pgvector"),
        *("timescaledb", "timescaledb-ha", "mongo", "mongodb", "redis", "memcached", "couchdb"),
        *("neo4j", "influxdb", "clickhouse-server"),
    }
)


def kind_of(service: dict[str, Any]) -> str:
    """`database` or `application`.

    Coolify also looks at hints (HTTP-like health checks, environment values); of those only the
    health check is simulated. Long-form ports on a database throw there, so they do here.
    """
    if not is_database_image(str(service.get("image") or "")) or _speaks_http(service):
        return "application"
    if any(isinstance(port, dict) for port in service.get("ports") or []):
        raise ParserError("long-form ports on a database service")
    return "database"


def is_database_image(image: str) -> bool:
    base = image.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0]
    return base in DATABASE_IMAGES


def _speaks_http(service: dict[str, Any]) -> bool:
    healthcheck = service.get("healthcheck")
    test = healthcheck.get("test") if isinstance(healthcheck, dict) else None
    text = " ".join(map(str, test)) if isinstance(test, list) else str(test or "")
    return any(hint in text for hint in ("curl", "wget", "http://", "https://"))
