"""What the renderers produce: files and directories of one server."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ManagedFile:
    """One file of a server.

    ``path`` is absolute, ``content`` is text (UTF-8), ``mode`` like ``0o600``, ``uid`` and ``gid``
    the numbers inside the containers. ``secret`` means: show neither content nor difference.
    ``component`` is who reads it: etcd, patroni, restapi, router, exporter, monitoring, wrapper or
    ca.
    """

    path: str
    content: str = field(repr=False)
    mode: int
    uid: int
    gid: int
    secret: bool
    component: str


@dataclass(frozen=True)
class ManagedDirectory:
    """One directory of a server; what is inside is not managed by it."""

    path: str
    mode: int
    uid: int
    gid: int
