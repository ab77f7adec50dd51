"""The exporter of one node: settings, TLS and password of its web server, certificates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from pgha.render.accounts import AUTH_DATABASE, MONITOR
from pgha.render.entities import ManagedFile
from pgha.render.etcd import QUOTA_BYTES, client_url
from pgha.render.material import Secrets, ca_file, certificate_files, password, web_hash
from pgha.render.places import (
    CA,
    CERTIFICATES,
    DATA_ONLY_SEEN,
    EXPORTER,
    EXPORTER_STATUS,
    IN_CONTAINER,
    ROOT,
    config_directory,
    data_directory,
)
from pgha.topology import Node, Topology

COMPONENT = "exporter"
SCRAPE_USER = "prometheus"
"""Who may read the metrics, with the password ``state/postgresql/exporter_password.txt``."""
BACKUP_STATUS = "backup.json"


def files(topology: Topology, node: Node, secrets: Secrets) -> list[ManagedFile]:
    """Everything in ``/etc/pgha/<cluster>/exporter``; the secrets belong to the exporter's user."""
    directory = config_directory(topology, COMPONENT)
    settings = yaml.safe_dump(config(topology, node), sort_keys=False, width=1000)
    web = yaml.safe_dump(web_config(secrets), sort_keys=False, width=1000)
    return [
        ManagedFile(f"{directory}/exporter.yml", settings, 0o644, ROOT, ROOT, False, COMPONENT),
        _private(f"{directory}/web.yml", web),
        _private(f"{directory}/monitor_password", f"{password(secrets, 'monitor')}\n"),
        ca_file(secrets, directory, COMPONENT),
        *certificate_files(secrets, "exporter", directory, "server", EXPORTER, COMPONENT),
        *certificate_files(secrets, "etcd-client", directory, "etcd-client", EXPORTER, COMPONENT),
    ]


def config(topology: Topology, node: Node) -> dict[str, Any]:
    """The content of exporter.yml; its keys are explained in the exporter's settings.py."""
    return {
        "scope": topology.cluster,
        "member": node.name,
        "members_expected": len(topology.nodes),
        "web_listen": f"{node.url_host}:{topology.exporter_port}",
        "web_config_file": f"{IN_CONTAINER}/web.yml",
        "patroni_url": f"http://127.0.0.1:{topology.restapi_port}",
        "patroni_ca_file": CA,
        "postgres_dsn": (
            f"host=127.0.0.1 port={topology.member_port} dbname={AUTH_DATABASE} user={MONITOR} "
            f"sslmode=verify-full sslrootcert={CA}"
        ),
        "postgres_password_file": f"{IN_CONTAINER}/monitor_password",
        "etcd_endpoints": [client_url(topology, each) for each in topology.nodes_with("etcd")],
        "etcd_ca_file": CA,
        "etcd_cert_file": f"{IN_CONTAINER}/etcd-client.crt",
        "etcd_key_file": f"{IN_CONTAINER}/etcd-client.key",
        "etcd_quota_bytes": QUOTA_BYTES,
        "route_host": topology.hostname,
        "route_rw_port": topology.port,
        "route_ro_port": topology.replica_port,
        "route_ca_file": CA,
        "certificate_directory": CERTIFICATES,
        "served_ports": _served(topology, node),
        "data_directory": DATA_ONLY_SEEN,
        "wal_directory": DATA_ONLY_SEEN,
        "backup_status_file": _backup_status(topology, node),
    }


def web_config(secrets: Secrets) -> dict[str, Any]:
    """The content of web.yml, in the format of Prometheus' exporter-toolkit."""
    return {
        "tls_server_config": {"cert_file": "server.crt", "key_file": "server.key"},
        "basic_auth_users": {SCRAPE_USER: web_hash(secrets, "exporter")},
    }


def backup_status_path(topology: Topology) -> str:
    """Where the controller's exporter looks for the ages of backups, on that server.

    Content: ``{"full": {"last_success": <Unix time>, "last_verified": <Unix time>}}``.
    """
    return f"{data_directory(topology, 'exporter')}/{BACKUP_STATUS}"


def backup_status(topology: Topology, times: Mapping[str, Any]) -> ManagedFile:
    """The file at `backup_status_path`; the exporter's user only reads it."""
    text = json.dumps(times, sort_keys=True) + "\n"
    path = backup_status_path(topology)
    return ManagedFile(path, text, 0o644, ROOT, ROOT, False, COMPONENT)


def _served(topology: Topology, node: Node) -> list[str]:
    etcd = [f"{node.url_host}:{topology.etcd_client_port}"] if topology.runs(node, "etcd") else []
    return [
        *etcd,
        f"{node.url_host}:{topology.restapi_port}",
        f"postgres:{node.url_host}:{topology.member_port}",
        f"postgres:{node.url_host}:{topology.pool_port}",
    ]


def _backup_status(topology: Topology, node: Node) -> str:
    # Backups are made from the controller; elsewhere nobody knows about them.
    is_controller = node.host == topology.coolify.controller
    return f"{EXPORTER_STATUS}/{BACKUP_STATUS}" if is_controller else ""


def _private(path: str, content: str) -> ManagedFile:
    return ManagedFile(path, content, 0o600, EXPORTER, EXPORTER, True, COMPONENT)
