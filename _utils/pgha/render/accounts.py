"""The roles that the product itself logs in with; applications' roles come from the pillar."""

from __future__ import annotations

SUPERUSER = "postgres"
REPLICATOR = "replicator"
REWIND = "rewind"
MONITOR = "pgha_monitor"
PGBOUNCER = "pgbouncer"

RESTAPI_USER = "patroni"
"""User of Patroni's REST API for its unsafe verbs; not a PostgreSQL role."""

AUTH_DATABASE = "postgres"
"""Where ``pgbouncer.get_auth`` lives."""
