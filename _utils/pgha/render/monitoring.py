"""The monitoring stack on the controller: Prometheus, the Alertmanager and Grafana of one cluster.

Files lie in ``/etc/pgha/<cluster>/monitoring`` as `pgha.render.prometheus` lays them out, data in
``/var/lib/pgha/<cluster>/monitoring``. The rules and alertmanager.yml are files of the served tree
(``salt://postgres/monitoring``); the latter is written once and then the operator's, whose
receivers it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.errors import NotFoundError
from pgha.render import grafana, prometheus
from pgha.render.compose_text import Value, compose_text
from pgha.render.entities import ManagedDirectory, ManagedFile
from pgha.render.places import (
    DATA_ROOT,
    IN_CONTAINER,
    MONITORING,
    ROOT,
    cluster_directory,
    config_directory,
    data_directory,
)
from pgha.topology import Topology

COMPONENT = "monitoring"
PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093
LOOPBACK = "127.0.0.1"
RETENTION = "31d"
"""The dashboards look at 30 days."""

_DATA = {"prometheus": "/var/lib/prometheus", "alertmanager": "/var/lib/alertmanager"}


def stack_name(topology: Topology) -> str:
    """The stack's name in Coolify: ``<cluster>-monitoring``."""
    return f"{topology.cluster}-{COMPONENT}"


def directories(topology: Topology, *, with_grafana: bool = False) -> list[ManagedDirectory]:
    """Every directory of the stack on the controller, parents first."""
    own = config_directory(topology, COMPONENT)
    data = data_directory(topology, COMPONENT)
    return [
        _open(cluster_directory(topology)),
        *(_open(path) for path in (own, f"{own}/targets", f"{own}/clusters", f"{own}/rules")),
        _open(f"{own}/clusters/{topology.cluster}"),
        _open(f"{DATA_ROOT}/{topology.cluster}"),
        _open(data),
        *(ManagedDirectory(f"{data}/{part}", 0o700, MONITORING, MONITORING) for part in _DATA),
        *(grafana.directories(topology) if with_grafana else []),
    ]


def files(
    topology: Topology,
    secrets: Mapping[str, Any],
    address: str = LOOPBACK,
    *,
    with_grafana: bool = False,
) -> list[ManagedFile]:
    """Prometheus' files, and Grafana's.

    Args:
        address: as for `compose`.
        secrets: what `pgha.roles.secrets_for` hands to the controller, under the key ``pgha``.

    Raises:
        NotFoundError: the CA or the exporters' password is not among the secrets.
    """
    found = secrets.get("pgha", {}).get("monitoring")
    if not found:
        raise NotFoundError(
            "the controller's pillar has no CA and no password of the exporters; run "
            "postgres.deploy on the Salt master, which creates and hands out what is missing"
        )
    own = config_directory(topology, COMPONENT)
    clusters = f"{own}/clusters/{topology.cluster}"
    return [
        _file(f"{clusters}/ca.crt", found["ca_crt"]),
        ManagedFile(
            f"{clusters}/password.txt", found["password"], 0o400, MONITORING, MONITORING, True,
            COMPONENT,
        ),
        _file(f"{own}/targets/{topology.cluster}.json", prometheus.targets(topology)),
        _file(f"{own}/prometheus.yml", configuration(topology)),
        *(grafana.files(topology, secrets, address, pages_url(address)) if with_grafana else []),
    ]  # fmt: skip


def configuration(topology: Topology) -> str:
    """The content of prometheus.yml."""
    return prometheus.configuration(
        [topology], directory=IN_CONTAINER, alertmanagers=[f"{LOOPBACK}:{ALERTMANAGER_PORT}"]
    )


def compose(topology: Topology, address: str = LOOPBACK, *, with_grafana: bool = False) -> str:
    """The compose text of the stack.

    Args:
        address: the controller's address that Prometheus' and Grafana's pages are served on. Those
            of Prometheus have no password, so the default is the loopback; the Alertmanager is
            always there.
        with_grafana: whether the controller has its image.
    """
    services = {
        "prometheus": _prometheus(topology, address),
        "alertmanager": _alertmanager(topology),
    }
    if with_grafana:
        services[grafana.SERVICE] = _grafana(topology)
    return compose_text({"services": dict(services)})


def _prometheus(topology: Topology, address: str) -> dict[str, Value]:
    command: list[Value] = [
        "prometheus",
        f"--config.file={IN_CONTAINER}/prometheus.yml",
        f"--storage.tsdb.path={_DATA['prometheus']}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address={_bracketed(address)}:{PROMETHEUS_PORT}",
    ]
    return _service(topology, "prometheus", command)


def _alertmanager(topology: Topology) -> dict[str, Value]:
    command: list[Value] = [
        "prometheus-alertmanager",
        f"--config.file={IN_CONTAINER}/alertmanager.yml",
        f"--storage.path={_DATA['alertmanager']}",
        f"--web.listen-address={LOOPBACK}:{ALERTMANAGER_PORT}",
        "--cluster.listen-address=",
    ]
    return _service(topology, "alertmanager", command)


def _grafana(topology: Topology) -> dict[str, Value]:
    """Its image is somebody else's: it starts as it likes and may write its own folders."""
    volumes = grafana.mounts(topology)
    return {**_common(topology), "image": topology.images.grafana, "volumes": volumes}


def pages_url(address: str, port: int = PROMETHEUS_PORT) -> str:
    """Where Prometheus' pages are, or Grafana's by its port, without a trailing slash."""
    return f"http://{_bracketed(address)}:{port}"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _service(topology: Topology, part: str, command: list[Value]) -> dict[str, Value]:
    return {
        **_common(topology),
        "command": command,
        "read_only": True,
        "volumes": [
            f"{config_directory(topology, COMPONENT)}:{IN_CONTAINER}:ro",
            f"{data_directory(topology, COMPONENT)}/{part}:{_DATA[part]}:rw",
        ],
    }


def _common(topology: Topology) -> dict[str, Value]:
    return {
        "image": topology.images.monitoring,
        "pull_policy": "never",
        "user": f"{MONITORING}:{MONITORING}",
        "network_mode": "host",
        "restart": "unless-stopped",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": "30s",
        "logging": {"driver": "json-file", "options": {"max-size": "20m", "max-file": "5"}},
        "labels": {"pgha.cluster": topology.cluster, "pgha.component": COMPONENT},
    }


def _file(path: str, content: str) -> ManagedFile:
    return ManagedFile(path, content, 0o644, ROOT, ROOT, False, COMPONENT)


def _open(path: str) -> ManagedDirectory:
    return ManagedDirectory(path, 0o755, ROOT, ROOT)
