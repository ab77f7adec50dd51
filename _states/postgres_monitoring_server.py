"""Directories, files and image of the monitoring stack on the controller; no secret is shown."""

from __future__ import annotations

try:
    from pgha.errors import PghaError
    from pgha.held import held_secrets
    from pgha.node import files
    from pgha.node.docker import Docker
    from pgha.node.images import fetch
    from pgha.render import monitoring
    from pgha.topology import Topology

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_monitoring_server"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def configured(name, address="127.0.0.1", grafana=False, cluster=None):
    """
    Prometheus' directories, configuration, targets, CA, password and image are on this server, and
    Grafana's files.

    name
        A sentence; not used.
    address
        The address that the pages are served on. Defaults to the loopback.
    grafana
        Whether Grafana is part of the stack. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": "Already as declared."}
    try:
        topology = Topology.from_pillar(__pillar__, cluster)
        ret["changes"] = _converge(topology, address, grafana, test=__opts__["test"])
        if ret["changes"] and not __opts__["test"]:
            left = _converge(topology, address, grafana, test=True)
            ret["result"] = not left
            ret["comment"] = f"Still different: {', '.join(left)}." if left else "Changed."
    except (PghaError, OSError) as error:
        return {**ret, "result": False, "changes": {}, "comment": str(error)}
    if ret["changes"] and __opts__["test"]:
        return {**ret, "result": None, "comment": "Would be changed."}
    return ret


def _converge(topology, address, grafana, *, test):
    """Make what is missing, or under ``test`` only name it."""
    changes = {}
    directories = monitoring.directories(topology, with_grafana=grafana)
    for directory, old, new in files.directory_changes(directories):
        changes[directory.path] = {"old": old, "new": new}
        if not test:
            files.make_directory(directory)
    secrets = {"pgha": held_secrets(__pillar__, topology)}
    wanted = monitoring.files(topology, secrets, address, with_grafana=grafana)
    for file, change in files.file_changes(wanted):
        changes[change.path] = {"old": change.old, "new": change.new}
        if not test:
            files.write_file(file)
    image = topology.images.monitoring
    if Docker().image_ids([image])[image] is None:
        changes[image] = {"old": None, "new": "loaded"}
        if not test:
            fetch(Docker(), image)
    return changes
