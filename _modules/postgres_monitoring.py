"""Prometheus, the Alertmanager and Grafana on the controller: what they should be, how they are.

Loaded on every minion; of use on the controller, whose pillar holds the exporters' password.
"""

from __future__ import annotations

try:
    from pgha.errors import PghaError
    from pgha.node import facts
    from pgha.node.docker import Docker
    from pgha.node.images import fetch as _fetch
    from pgha.prometheus import api
    from pgha.prometheus import grafana as grafana_api
    from pgha.render import grafana as rendered
    from pgha.render import monitoring, places
    from pgha.topology import Topology
    from pgha_minion.errors import operator_errors as _operator_errors

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_monitoring"

PULL_S = 300
"""Grafana's image is some 150 MB."""


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def stack(address="127.0.0.1", grafana=False, cluster=None):
    """
    Return the stack as Coolify should hold it: ``name``, ``server``, ``compose``, and
    ``directory`` and ``dashboards``, where its configuration and Grafana's dashboards lie on the
    controller.

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_monitoring.stack

    address
        The address that the pages are served on. Defaults to the loopback.
    grafana
        Whether Grafana is part of it. Defaults to False.
    """
    with _operator_errors():
        topology = Topology.from_pillar(__pillar__, cluster)
        return {
            "name": monitoring.stack_name(topology),
            "server": _address(topology),
            "compose": monitoring.compose(topology, address, with_grafana=grafana),
            "directory": places.config_directory(topology, monitoring.COMPONENT),
            "dashboards": f"{rendered.directory(topology)}/dashboards",
        }


def offer_grafana(fetch=True, cluster=None):
    """
    Return whether this server has Grafana's image: ``image``, ``available``, ``why`` (why not).

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_monitoring.offer_grafana

    fetch
        Load or pull the image when it is not here. Defaults to True.
    """
    with _operator_errors():
        image = Topology.from_pillar(__pillar__, cluster).images.grafana
        docker = Docker()
        why = "" if docker.image_ids([image])[image] else "it is not on the server"
        if why and fetch:
            try:
                _fetch(docker, image, timeout_s=PULL_S)
                why = ""
            except PghaError as error:
                why = str(error)
        return {"image": image, "available": not why, "why": why}


def reload(cluster=None):
    """
    Make a running Prometheus read its configuration and rules again, and a running Grafana start
    again, which reads its own at the start only; returns the containers told.

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_monitoring.reload
    """
    with _operator_errors():
        wanted = facts.slug(monitoring.stack_name(Topology.from_pillar(__pillar__, cluster)))
        docker = Docker()
        running = {
            container.service: container.name
            for container in docker.containers()
            if container.service in ("prometheus", rendered.SERVICE)
            and container.stack == wanted
            and container.is_running
        }
        for service, name in running.items():
            if service == "prometheus":
                docker.signal(name, "HUP")
            else:
                docker.restart(name)
        return sorted(running.values())


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


def wait_ready(address="127.0.0.1", deadline=60, grafana=False, cluster=None):
    """
    Wait until Prometheus evaluates its rules and its Alertmanager is ready, and Grafana where it is
    part of the stack; returns Prometheus' ``status``.

    CLI Example:

    .. code-block:: bash

        salt controller.lan postgres_monitoring.wait_ready

    address
        The address that Prometheus' pages are served on. Defaults to the loopback.
    deadline
        Seconds. Defaults to 60.
    grafana
        Whether Grafana is part of it. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _operator_errors():
        watched = Topology.from_pillar(__pillar__, cluster).cluster
        url = monitoring.pages_url(address)
        told = f"http://{monitoring.LOOPBACK}:{monitoring.ALERTMANAGER_PORT}"
        found = api.wait_ready(url, watched, told, deadline_s=float(deadline))
        if grafana:
            shown = monitoring.pages_url(address, rendered.PORT)
            grafana_api.wait_healthy(shown, deadline_s=float(deadline))
        return found


def _address(topology):
    """As Coolify knows the controller: by its address where it is a node, else by its name."""
    controller = topology.coolify.controller
    return topology.node(controller).ip if topology.has_host(controller) else controller
