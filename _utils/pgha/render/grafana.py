"""Grafana beside Prometheus on the controller: its own image, files that provision it.

Its files are apart from Prometheus' (``/etc/pgha/<cluster>/grafana``), whose container need not see
the administrator's password. It finds everything where its image looks by itself,
``/etc/grafana/grafana.ini`` and ``/etc/grafana/provisioning``
(https://grafana.com/docs/grafana/latest/administration/provisioning/). The dashboards are files of
the served tree (``salt://postgres/monitoring/dashboards``). Alerts come from Prometheus; Grafana
shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.errors import NotFoundError
from pgha.render.compose_text import Value
from pgha.render.entities import ManagedDirectory, ManagedFile
from pgha.render.places import MONITORING, ROOT, config_directory, data_directory
from pgha.topology import Topology

SERVICE = "grafana"
PORT = 3000
COMPONENT = "monitoring"
DATA = "/var/lib/grafana"
DASHBOARDS = "/etc/grafana/dashboards"
PASSWORD = "/etc/grafana/admin_password"  # noqa: S105 - a path

# $__file: https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/#file-provider
_INI = """\
[server]
http_addr = {address}
http_port = {port}

[security]
admin_user = admin
admin_password = $__file{{{password}}}

[users]
allow_sign_up = false

[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false

[log]
mode = console
"""

# The uid is what dashboards and alert rules name.
_DATASOURCE = """\
apiVersion: 1
datasources:
  - name: PostgreSQL HA
    uid: pgha-prometheus
    type: prometheus
    access: proxy
    url: {prometheus}
    isDefault: true
    editable: false
    jsonData:
      httpMethod: POST
      timeInterval: 15s
"""

_PROVIDER = f"""\
apiVersion: 1
providers:
  - name: pgha
    orgId: 1
    type: file
    folder: PostgreSQL HA
    folderUid: pgha
    disableDeletion: true
    allowUiUpdates: false
    updateIntervalSeconds: 60
    options:
      path: {DASHBOARDS}
      foldersFromFilesStructure: false
"""


def directory(topology: Topology) -> str:
    """Where its files lie on the controller."""
    return config_directory(topology, SERVICE)


def directories(topology: Topology) -> list[ManagedDirectory]:
    """Every directory of Grafana's own, parents first."""
    own = directory(topology)
    parts = ("provisioning", "provisioning/datasources", "provisioning/dashboards", "dashboards")
    data = data_directory(topology, SERVICE)
    return [
        *(ManagedDirectory(path, 0o755, ROOT, ROOT) for path in (own, *_below(own, parts))),
        ManagedDirectory(data, 0o700, MONITORING, MONITORING),
    ]


def files(
    topology: Topology, secrets: Mapping[str, Any], address: str, prometheus: str
) -> list[ManagedFile]:
    """Configuration, provisioning and the administrator's password.

    Args:
        secrets: as for `pgha.render.monitoring.files`.
        address: of the controller, for its pages.
        prometheus: Prometheus' URL.

    Raises:
        NotFoundError: the password is not among the secrets; they are older than Grafana here.
    """
    password = secrets.get("pgha", {}).get("monitoring", {}).get("grafana_password")
    if not password:
        raise NotFoundError(
            "the controller's pillar has no password for Grafana; run postgres.deploy on the Salt "
            "master, which creates and hands out what is missing"
        )
    own = directory(topology)
    ini = _INI.format(address=address, port=PORT, password=PASSWORD)
    return [
        _file(f"{own}/grafana.ini", ini),
        _file(
            f"{own}/provisioning/datasources/pgha.yml", _DATASOURCE.format(prometheus=prometheus)
        ),
        _file(f"{own}/provisioning/dashboards/pgha.yml", _PROVIDER),
        ManagedFile(
            f"{own}/admin_password", password, 0o400, MONITORING, MONITORING, True, COMPONENT
        ),
    ]


def mounts(topology: Topology) -> list[Value]:
    """Volumes of its service: its directory in place of the image's ``/etc/grafana``, its data."""
    data = data_directory(topology, SERVICE)
    return [f"{directory(topology)}:/etc/grafana:ro", f"{data}:{DATA}:rw"]


def _below(parent: str, parts: tuple[str, ...]) -> list[str]:
    return [f"{parent}/{part}" for part in parts]


def _file(path: str, content: str) -> ManagedFile:
    return ManagedFile(path, content, 0o644, ROOT, ROOT, False, COMPONENT)
