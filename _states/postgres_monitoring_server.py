"""Prometheus' directories, files and image on the controller; secrets are never shown."""

from __future__ import annotations

try:
    from pgha.errors import PghaError
    from pgha.held import held_secrets
    from pgha.node import facts, files
    from pgha.node.docker import Docker
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


def configured(name, cluster=None):
    """
    Prometheus' directories, configuration, targets, CA, password and image are on this server.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": "Already as declared."}
    try:
        topology = Topology.from_pillar(__pillar__, cluster)
        ret["changes"] = _converge(topology, test=__opts__["test"])
        if ret["changes"] and not __opts__["test"]:
            left = _converge(topology, test=True)
            ret["result"] = not left
            ret["comment"] = f"Still different: {', '.join(left)}." if left else "Changed."
    except (PghaError, OSError) as error:
        return {**ret, "result": False, "changes": {}, "comment": str(error)}
    if ret["changes"] and __opts__["test"]:
        return {**ret, "result": None, "comment": "Would be changed."}
    return ret


def _converge(topology, *, test):
    """Make what is missing, or under ``test`` only name it."""
    changes = {}
    for directory, old, new in files.directory_changes(monitoring.directories(topology)):
        changes[directory.path] = {"old": old, "new": new}
        if not test:
            files.make_directory(directory)
    wanted = monitoring.files(topology, {"pgha": held_secrets(__pillar__, topology)})
    for file, change in files.file_changes(wanted):
        changes[change.path] = {"old": change.old, "new": change.new}
        if not test:
            files.write_file(file)
    if Docker().image_ids([monitoring.IMAGE])[monitoring.IMAGE] is None:
        changes[monitoring.IMAGE] = {"old": None, "new": "loaded"}
        if not test:
            _fetch(monitoring.IMAGE)
    return changes


def _fetch(reference):
    archive = facts.archive(reference)
    if archive.exists():
        Docker().load(archive)
    else:
        Docker().pull(reference)
