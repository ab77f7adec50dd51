"""Images for the servers' own engines: read what an archive holds, load what a server lacks."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.instance import Instance, Server
from lab.mounts import IMAGES
from lab.servers import run

LOAD_SECONDS = 600


@dataclass(frozen=True)
class Archive:
    """A `docker save` file: ``images`` is tag -> image id (``sha256:...``)."""

    path: Path
    images: Mapping[str, str]


def read_archive(path: Path) -> Archive:
    """What is in an archive. Raises LabError when it is not one."""
    try:
        with tarfile.open(path) as tar:
            member = tar.extractfile("manifest.json")
            manifest = json.load(member) if member else []
    except (OSError, KeyError, tarfile.TarError, ValueError):
        raise LabError(
            f"{path} is no image archive: remove it and build the images again."
        ) from None
    images: dict[str, str] = {}
    for image in manifest:
        # "<hex>.json" from older engines, "blobs/sha256/<hex>" from newer ones.
        image_id = "sha256:" + Path(image["Config"]).name.removesuffix(".json")
        images |= dict.fromkeys(image["RepoTags"] or [], image_id)
    return Archive(path, images)


def archives(instance: Instance) -> list[Archive]:
    """All archives of the instance, by name."""
    return [read_archive(path) for path in sorted(instance.images_dir.glob("*.tar"))]


def missing(wanted: Iterable[Archive], present: Mapping[str, str]) -> list[Archive]:
    """Archives with an image that a server does not have, or has another one of that tag."""
    return [archive for archive in wanted if not archive.images.items() <= present.items()]


def load(instance: Instance, server: Server, archive: Archive) -> None:
    """Load one archive into a server's engine."""
    command = ["docker", "load", "--quiet", "--input", f"{IMAGES}/{archive.path.name}"]
    done = run(instance, server, command, timeout_s=LOAD_SECONDS)
    if done.returncode:
        raise LabError(
            f"{server.host} could not load {archive.path.name}: {done.stderr.strip()};"
            " look at its disk (`df -h /var/lib/docker`), then run `up` again."
        )
