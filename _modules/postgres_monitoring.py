"""Prometheus and the Alertmanager on the controller: what they should be, and how they are.

Loaded on every minion; of use on the controller, whose pillar holds the exporters' password.
"""

from __future__ import annotations

try:
    from pgha.node import facts
    from pgha.node.docker import Docker
    from pgha.prometheus import api
    from pgha.render import monitoring, places
    from pgha.topology import Topology
    from pgha_minion.errors import operator_errors as _operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_monitoring"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def stack(address="127.0.0.1", cluster=None):
    """
    Return the stack as Coolify should hold it: ``name``, ``server``, ``compose``, and
    ``directory``, where its configuration lies on the controller.

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_monitoring.stack

    address
        The address that Prometheus' pages are served on. Defaults to the loopback.
    """
    with _operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        return {
            "name": monitoring.stack_name(topology),
            "server": _address(topology),
            "compose": monitoring.compose(topology, address),
            "directory": places.config_directory(topology, monitoring.COMPONENT),
        }


def reload(cluster=None):
    """
    Make a running Prometheus read its configuration and rules again; returns the containers told.

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_monitoring.reload
    """
    with _operator_errors():
        wanted = facts.slug(monitoring.stack_name(Topology.from_pillar(__pillar__, cluster)))
        docker = Docker()
        running = [
            container.name
            for container in docker.containers()
            if container.service == "prometheus"
            and container.stack == wanted
            and container.is_running
        ]
        for name in running:
            docker.signal(name, "HUP")
        return running


def status(address="127.0.0.1", cluster=None):
    """
    Return what Prometheus says now: ``targets`` (``{server: "up" or why not}``), ``rules`` (how
    many are evaluated), ``alerts`` (names of those that fire), ``alertmanagers`` (how many it
    knows).

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_monitoring.status

    address
        The address that Prometheus' pages are served on. Defaults to the loopback.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _operator_errors():
        watched = Topology.from_pillar(__pillar__, cluster).cluster
        return api.status(monitoring.pages_url(address), watched)


def wait_ready(address="127.0.0.1", deadline=60, cluster=None):
    """
    Wait until Prometheus evaluates its rules and its Alertmanager is ready; returns its ``status``.

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_monitoring.wait_ready

    address
        The address that Prometheus' pages are served on. Defaults to the loopback.
    deadline
        Seconds. Defaults to 60.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _operator_errors():
        watched = Topology.from_pillar(__pillar__, cluster).cluster
        url = monitoring.pages_url(address)
        told = f"http://{monitoring.LOOPBACK}:{monitoring.ALERTMANAGER_PORT}"
        return api.wait_ready(url, watched, told, deadline_s=float(deadline))


def _address(topology):
    """As Coolify knows the controller: by its address where it is a node, else by its name."""
    controller = topology.coolify.controller
    return topology.node(controller).ip if topology.has_host(controller) else controller
