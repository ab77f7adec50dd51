"""Servers as JSON (contract 2.3; keys as recorded live)."""

from __future__ import annotations

import json
from typing import Any

from ..clock import iso, plain
from ..store import servers
from ..store.database import Row

_SENSITIVE = (
    "sentinel_token",
    "sentinel_custom_url",
    "logdrain_newrelic_license_key",
    "logdrain_axiom_api_key",
    "logdrain_custom_config",
    "logdrain_custom_config_parser",
)
_SETTINGS: dict[str, Any] = {
    "backup_compression_cpu_percentage": 25,
    "concurrent_builds": 2,
    "connection_timeout": 10,
    "deployment_queue_limit": 25,
    "dynamic_timeout": 3600,
    "force_disabled": False,
    "generate_exact_labels": False,
    "is_build_server": False,
    "is_cloudflare_tunnel": False,
    "is_jump_server": False,
    "is_logdrain_axiom_enabled": False,
    "is_logdrain_custom_enabled": False,
    "is_logdrain_highlight_enabled": False,
    "is_logdrain_newrelic_enabled": False,
    "is_swarm_manager": False,
    "is_swarm_worker": False,
    "is_terminal_enabled": True,
    "logdrain_axiom_api_key": None,
    "logdrain_axiom_dataset_name": None,
    "logdrain_custom_config": None,
    "logdrain_custom_config_parser": None,
    "logdrain_highlight_project_id": None,
    "logdrain_newrelic_base_uri": None,
    "logdrain_newrelic_license_key": None,
    "sentinel_custom_url": "http://stand-in.invalid:8000",
    "sentinel_token": "stand-in-sentinel-token",
    "server_disk_usage_check_frequency": "0 23 * * *",
    "server_disk_usage_notification_threshold": 80,
    "server_timezone": "UTC",
    "wildcard_domain": None,
}
_COLUMNS: dict[str, Any] = {
    "cloud_provider_token_id": None,
    "deleted_at": None,
    "detected_traefik_version": None,
    "digitalocean_droplet_id": None,
    "digitalocean_droplet_status": None,
    "hetzner_server_id": None,
    "hetzner_server_status": None,
    "high_disk_usage_notification_sent": False,
    "ip_previous": None,
    "is_coolify_host": False,
    "is_validating": False,
    "log_drain_notification_sent": False,
    "private_key_id": 1,
    "server_metadata": None,
    "swarm_cluster": None,
    "traefik_outdated_info": None,
    "unreachable_notification_sent": False,
    "vultr_instance_id": None,
    "vultr_instance_status": None,
}


def settings(row: Row, *, sensitive: bool) -> dict[str, Any]:
    checked = iso(row["versions_checked_at"]) if row["versions_checked_at"] else None
    sentinel = json.loads(row["sentinel"])
    values = {
        **_SETTINGS,
        **json.loads(row["cleanup"]),
        **sentinel,
        "id": row["id"],
        "server_id": row["id"],
        "docker_version": row["docker_version"],
        "docker_version_checked_at": checked,
        "compose_version": row["compose_version"],
        "compose_version_checked_at": checked,
        "is_reachable": servers.reachable(row),
        "is_usable": servers.usable(row),
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }
    return values if sensitive else {k: v for k, v in values.items() if k not in _SENSITIVE}


def listed(row: Row, *, sensitive: bool) -> dict[str, Any]:
    """An item of GET /servers: no id, reachability at the top level."""
    return {
        "uuid": row["uuid"],
        "name": row["name"],
        "description": row["description"] or "",
        "ip": row["ip"],
        "is_coolify_host": False,
        "is_reachable": servers.reachable(row),
        "is_usable": servers.usable(row),
        "port": row["port"],
        "proxy": {"redirect_enabled": True},
        "settings": settings(row, sensitive=sensitive),
        "user": row["user"],
    }


def detail(row: Row, *, sensitive: bool) -> dict[str, Any]:
    """GET /servers/{uuid}: reachability only inside `settings`."""
    return {
        "uuid": row["uuid"],
        "name": row["name"],
        "description": row["description"] or "",
        **_COLUMNS,
        "ip": row["ip"],
        "port": row["port"],
        "proxy": {"redirect_enabled": True, "type": "NONE", "status": "exited"},
        "sentinel_updated_at": plain(row["created_at"]),
        "settings": settings(row, sensitive=sensitive),
        "team_id": row["team_id"],
        "unreachable_count": row["unreachable_count"],
        "user": row["user"],
        "validation_logs": row["validation_logs"],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def nested(row: Row, *, sensitive: bool) -> dict[str, Any]:
    """The server inside a service: every column, `id` included."""
    return {"id": row["id"], **detail(row, sensitive=sensitive)}


def destination(row: Row, server_uuid: str) -> dict[str, Any]:
    return {
        "uuid": row["uuid"],
        "name": row["name"],
        "network": row["network"],
        "type": "standalone",
        "server_uuid": server_uuid,
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def sentinel(row: Row, *, sensitive: bool) -> dict[str, Any]:
    values = {**json.loads(row["sentinel"]), "sentinel_updated_at": plain(row["created_at"])}
    if sensitive:
        values |= {name: _SETTINGS[name] for name in ("sentinel_token", "sentinel_custom_url")}
    return values
