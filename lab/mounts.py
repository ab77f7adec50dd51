"""What each server sees of the machine, and what of a server outlives its container."""

from __future__ import annotations

from lab.instance import Instance, Server

#: A server's disk: its engine's data, the product's configuration and data, Coolify's files.
VOLUMES = {
    "docker": "/var/lib/docker",
    "config": "/etc/pgha",
    "data": "/var/lib/pgha",
    "coolify": "/data/coolify",
}
TREE = {"salt": "/srv/pgha/salt", "pillar": "/srv/pgha/pillar"}
EXTENSIONS = ("_modules", "_states", "_utils", "_runners", "_pillar", "_output", "_grains")
IMAGES = "/var/lib/pgha/images"
SITE = "/srv/pgha/site"
STATE = "/var/lib/pgha-state"
STAND_IN_SOURCE = "/opt/coolify-src/lab/coolify"


def volume_name(instance: Instance, server: Server, kind: str) -> str:
    """Name of a volume on the machine's engine."""
    return f"pgha-{instance.name}-{server.short}-{kind}"


def volume_mounts(instance: Instance, server: Server) -> list[str]:
    """The server's own disk, as ``volume:path``."""
    return [f"{volume_name(instance, server, kind)}:{path}" for kind, path in VOLUMES.items()]


def bind_mounts(instance: Instance, server: Server) -> list[str]:
    """Folders of the machine, as ``from:to[:ro]``; state/ only where the Salt master is."""
    mounts = [f"{instance.images_dir}:{IMAGES}:ro"]
    if not server.is_controller:
        return mounts
    mounts += [f"{source}:{target}:ro" for source, target in served_folders(instance).items()]
    return [*mounts, f"{instance.state_dir}:{STATE}"]


def served_folders(instance: Instance) -> dict[str, str]:
    """The composed tree: folder on the machine -> folder on the master.

    Named one by one and never the checkout itself, because any minion may read what a file root
    holds. A folder that is not there is left out; the next `up` finds it.
    """
    folders = {instance.root / name: target for name, target in TREE.items()}
    folders |= {instance.root / name: f"/srv/pgha/ext/{name}" for name in EXTENSIONS}
    folders[instance.root / "lab" / "coolify"] = STAND_IN_SOURCE
    folders[instance.site_dir] = SITE
    return {str(source): target for source, target in folders.items() if source.is_dir()}
