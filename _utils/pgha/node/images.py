"""An image that is not on this server yet: loaded from the operator's archive, or pulled."""

from __future__ import annotations

from pgha.node import facts
from pgha.node.docker import Docker


def fetch(docker: Docker, reference: str, *, timeout_s: float = 600) -> None:
    """Load the image's archive where there is one, else pull it within ``timeout_s``.

    Raises:
        RefusedError, TimedOutError, UnreachableError: what Docker said.
    """
    archive = facts.archive(reference)
    if archive.exists():
        docker.load(archive)
    else:
        docker.pull(reference, timeout_s=timeout_s)
