"""The exporter itself, the sources that it asks, and what runs on its node."""

from __future__ import annotations

from pgha_exporter.names.metric import counter, gauge, info

SOURCES = ("patroni", "postgres", "etcd", "route", "files", "backup")
"""``files`` are certificates and file systems; ``backup`` exists on the controller only."""
ERROR_REASONS = ("timeout", "refused", "tls", "auth", "protocol", "busy")

BUILD_INFO = info("pgha_build_info", "The exporter's version and its Python.", "version", "python")
NODE_INFO = info(
    "pgha_node_info",
    "What runs on this node.",
    "member",
    "patroni_version",
    "postgres_version",
    "system_identifier",
)
SOURCE_UP = gauge(
    "pgha_source_up",
    "1 when the last question to the source was answered in time. Only sources that this node has.",
    "source",
    source=SOURCES,
)
SOURCE_LAST_SUCCESS = gauge(
    "pgha_source_last_success_timestamp_seconds",
    "When the source last answered; 0 for never.",
    "source",
    source=SOURCES,
)
SOURCE_DURATION = gauge(
    "pgha_source_duration_seconds",
    "How long the last question to the source took.",
    "source",
    source=SOURCES,
)
SOURCE_ERRORS = counter(
    "pgha_source_errors_total",
    "Questions to the source that failed, by reason.",
    "source",
    "reason",
    source=SOURCES,
    reason=ERROR_REASONS,
)
SOURCE_STUCK = gauge(
    "pgha_source_stuck_seconds",
    "Age of a question that the source has not answered yet and is past its deadline; else 0.",
    "source",
    source=SOURCES,
)
COLLECTIONS = counter(
    "pgha_collections_total", "Times that the sources were asked; at most once per second."
)
SCRAPES = counter("pgha_scrapes_total", "Answered requests for the metrics.")
