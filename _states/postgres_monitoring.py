"""Prometheus on the controller: the orchestration postgres.monitoring, on the Salt master."""

from __future__ import annotations

try:
    from pgha.operate.monitoring import run_monitoring
    from pgha_master.operation import run_operation

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_monitoring"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if __opts__.get("__role") != "master":
        return False, "the states of postgres.monitoring run on the Salt master, by salt-run"
    return __virtualname__


def running(name, address="127.0.0.1", cluster=None):
    """
    Prometheus scrapes every node, evaluates the rules and tells an Alertmanager.

    name
        A sentence; not used.
    address
        The controller's address that Prometheus' pages are served on. Defaults to its loopback.
    cluster
        Name of the cluster. Defaults to the only one.
    """

    def action(operation):
        return run_monitoring(operation, address)

    return run_operation(__opts__, __pillar__, name, cluster, "monitoring", action)
