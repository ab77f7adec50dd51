"""The declared configuration: every pillar key and its default, in one place.

``pillar/postgresql/defaults.sls`` repeats these values for operators to read; a test compares both.
"""

from __future__ import annotations

from typing import Any

_FIGURE: tuple[tuple[str, str, str, str], ...] = (
    ("postgres-node-1", "app-server-1.lan", "172.28.0.20", "primary"),
    ("postgres-node-2", "app-server-2.lan", "172.28.0.21", "replica"),
    ("postgres-node-3", "controller.lan", "172.28.0.10", "replica"),
    ("postgres-node-4", "builder.lan", "172.28.0.30", "replica"),
)

DEFAULTS: dict[str, Any] = {
    "postgresql_hostname": "db.postgres.host.uk.com",
    "postgresql_cluster_name": "coolify_postgres",
    "postgresql_version": 16,
    "postgresql_port": 5432,
    "postgresql_replica_port": 5433,
    "postgresql_pool_port": 6432,
    "postgresql_member_port": 5434,
    "patroni_restapi_port": 8008,
    "postgresql_exporter_port": 8010,
    "etcd_client_port": 2379,
    "etcd_peer_port": 2380,
    "etcd_voters": "auto",
    "patroni_ttl": 30,
    "patroni_loop_wait": 10,
    "patroni_retry_timeout": 10,
    "patroni_maximum_lag_on_failover": 1048576,
    "postgresql_synchronous_mode": "off",
    "postgresql_rolling": "auto",
    "postgresql_parameters": {},
    "postgresql_app_database": "application",
    "postgresql_app_user": "app_user",
    "postgresql_application_networks": ["10.0.0.0/8"],
    "postgresql_client_services": [],
    "postgresql_images": {},
    "postgresql_admin_networks": [],
    "postgresql_backup_retention_days": 7,
    "postgresql_backup_schedule": "off",
    "postgresql_nodes": [
        {"name": name, "host": host, "ip": ip, "role": role} for name, host, ip, role in _FIGURE
    ],
    "coolify_url": "http://controller.lan:8000",
    "coolify_project": "postgresql",
    "coolify_environment": "production",
    "coolify_controller": "controller.lan",
    "coolify_verify_tls": True,
}
"""Pillar key -> default. Ports are TCP, times are seconds, the lag is bytes."""

CLUSTERS_KEY = "postgresql_clusters"
"""Further clusters: ``{name: {overrides of the keys above}}``."""

DEFAULT_IMAGES: dict[str, str] = {
    "etcd": "pgha/etcd:3.5.16-1",
    "patroni": "pgha/patroni:{version}-4.1.5-1",
    "router": "pgha/router:3.0-1.24-1",
    "exporter": "pgha/exporter:0.1.0-5",
    "monitoring": "pgha/monitoring:2.53-2",
    "grafana": "grafana/grafana:11.6.0",
}
"""Component -> image; ``{version}`` is postgresql_version, which the patroni image contains."""

PORT_KEYS: tuple[str, ...] = (
    "postgresql_port",
    "postgresql_replica_port",
    "postgresql_pool_port",
    "postgresql_member_port",
    "patroni_restapi_port",
    "postgresql_exporter_port",
    "etcd_client_port",
    "etcd_peer_port",
)
