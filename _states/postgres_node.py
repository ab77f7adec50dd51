"""Converge one server of a PostgreSQL cluster: directories, files, images, the service hostname.

Each state looks, acts, looks again; secrets are named in ``changes`` and never shown.
"""

from __future__ import annotations

from pathlib import Path

try:
    from pgha.errors import NotFoundError, PghaError
    from pgha.held import held_secrets
    from pgha.node import facts, files
    from pgha.node.docker import Docker
    from pgha.render import exporter, hosts
    from pgha.render.files import directories_for, files_for, reload_action, reload_targets
    from pgha.topology import Topology

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres_node"

HOSTS_FILE = Path("/etc/hosts")


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if "postgres_node.facts" not in __salt__:
        return False, "the execution module postgres_node is not loaded"
    return __virtualname__


def directories_present(name, cluster=None):
    """
    The directories of the cluster exist on this server with the right owner and mode.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _converge(name, cluster, _directory_differences, _make_directories)


def files_present(name, cluster=None):
    """
    Every configuration file, certificate and wrapper is as declared; services whose files
    changed read them again where they can.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _converge(name, cluster, _file_differences, _write_files)


def images_present(name, cluster=None):
    """
    The images of the cluster's stacks are in this server's Docker: loaded from the archive in
    ``/var/lib/pgha/images`` or pulled from the registry they name. Coolify's own start must not
    pull them: it gives up after 600 s without saying so.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _converge(name, cluster, _image_differences, _fetch_images)


def hostname_present(name, cluster=None):
    """
    Processes on this server resolve the service hostname to this server's own router.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _converge(name, cluster, _hosts_differences, _write_hosts)


def backups_told(name, times, cluster=None):
    """
    This server's exporter knows when the cluster was last backed up and verified.

    name
        A sentence; not used.
    times
        As ``postgres_node.tell_backups`` takes them.
    cluster
        Name of the cluster. Defaults to the only one.
    """

    def differences(topology, _node):
        wanted = [exporter.backup_status(topology, times)]
        return [
            (change.path, {"old": change.old, "new": change.new}, file)
            for file, change in files.file_changes(wanted)
        ]

    def act(_topology, changed):
        for file in changed:
            files.write_file(file)
        return []

    return _converge(name, cluster, differences, act)


def _converge(name, cluster, differences, act):
    ret = {"name": name, "result": True, "changes": {}, "comment": "Already as declared."}
    try:
        topology = Topology.from_pillar(__pillar__, cluster)
        node = topology.node(__grains__["id"])
        found = differences(topology, node)
        ret["changes"] = {key: change for key, change, _ in found}
        if not found:
            return ret
        if __opts__["test"]:
            ret["result"] = None
            ret["comment"] = f"{len(found)} would have been changed."
            return ret
        notes = act(topology, [thing for _, _, thing in found])
        left = differences(topology, node)
    except (PghaError, OSError) as error:
        ret["result"] = False
        ret["comment"] = str(error)
        return ret
    ret["result"] = not left
    ret["comment"] = (
        f"Still different after the change: {', '.join(key for key, _, _ in left)}."
        if left
        else " ".join([f"{len(found)} changed.", *notes])
    )
    return ret


def _directory_differences(topology, node):
    return [
        (directory.path, {"old": old, "new": new}, directory)
        for directory, old, new in files.directory_changes(directories_for(topology, node))
    ]


def _make_directories(_topology, directories):
    for directory in directories:
        files.make_directory(directory)
    return []


def _file_differences(topology, node):
    secrets = {"pgha": held_secrets(__pillar__, topology)}
    if "passwords" not in secrets["pgha"]:
        if __opts__["test"]:
            return [("every configuration file", {"old": None, "new": "from new secrets"}, None)]
        raise PghaError(
            f"the pillar has no secrets of cluster {topology.cluster} for this node; run the "
            "deploy on the Salt master, or check ext_pillar pgha_secrets there"
        )
    try:
        wanted = files_for(topology, node, secrets)
    except NotFoundError:
        # Secrets of a component that the cluster does not have yet; the deploy makes them first.
        if __opts__["test"]:
            return [("some configuration files", {"old": None, "new": "from new secrets"}, None)]
        raise
    return [
        (change.path, {"old": change.old, "new": change.new}, file)
        for file, change in files.file_changes(wanted)
    ]


def _write_files(topology, changed):
    for file in changed:
        files.write_file(file)
    return _take_effect(topology, changed)


def _take_effect(topology, changed):
    """Reload what can be reloaded; name what needs its stack recreated."""
    services = {
        service for file in changed for service, _ in reload_targets(file.component, file.path)
    }
    for service in sorted(services):
        __salt__["postgres_node.reload"](service, cluster=topology.cluster)
    restarts = {
        file.component for file in changed if reload_action(file.component, file.path) == "restart"
    }
    return [f"{part} reads its file at its next start." for part in sorted(restarts)]


def _image_differences(topology, _node):
    sources = facts.image_sources(topology, Docker())
    return [
        (reference, {"old": None, "new": source}, reference)
        for reference, source in sources.items()
        if source != "present"
    ]


def _fetch_images(_topology, references):
    docker = Docker()
    for reference in references:
        archive = facts.archive(reference)
        if archive.exists():
            docker.load(archive)
        else:
            docker.pull(reference)
    return []


def _hosts_differences(topology, node):
    text = HOSTS_FILE.read_text(encoding="utf-8")
    wanted = hosts.with_hostname(text, topology, node)
    if wanted == text:
        return []
    change = {"old": hosts.entry_of(text, topology), "new": f"{node.ip} {topology.hostname}"}
    return [(str(HOSTS_FILE), change, wanted)]


def _write_hosts(_topology, texts):
    files.write_text_like(str(HOSTS_FILE), texts[0])
    return []
