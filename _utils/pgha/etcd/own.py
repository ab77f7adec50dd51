"""This server's own etcd member, seen from the server: start it over with an empty directory.

etcd.yml says what a new cluster of all voters would need. Whenever a member is started with an
empty directory for another reason, the file says so for that one start and is put back afterwards
(`restore`), because etcd reads these words only while the directory is empty.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgha.etcd.health import ClientFor
from pgha.etcd.joining import readmit, wait_joined
from pgha.node.data import set_etcd_aside
from pgha.node.docker import Docker
from pgha.node.files import file_changes, write_file
from pgha.node.stopping import stop_stack
from pgha.render import etcd
from pgha.topology import Node, Topology


@dataclass(frozen=True)
class Own:
    """The member of one node; ``client_for`` reaches the others."""

    topology: Topology
    node: Node
    docker: Docker
    client_for: ClientFor

    def set_aside(self) -> dict[str, Any]:
        """Stop etcd and keep its directory under another name: ``stopped``, ``set_aside``."""
        stopped = stop_stack(self.topology, self.node, "etcd", self.docker)
        return {"stopped": stopped, "set_aside": set_etcd_aside(self.topology)}

    def found(self, voters: Sequence[str], token: str) -> dict[str, Any]:
        """Get ready to begin a new etcd cluster together with ``voters``; as `set_aside`."""
        done = self.set_aside()
        self._write(etcd.founding(self.topology, voters, token))
        return done

    def rejoin(self) -> dict[str, Any]:
        """Get ready to join the living cluster as a new member.

        Returns ``stopped`` and ``set_aside``, ``removed`` (id of the old entry) and ``learner``.
        Raises what `pgha.etcd.joining.readmit` raises.
        """
        done = self.set_aside()
        admission = readmit(self.topology, self.node, self.client_for)
        self._write(etcd.joining(admission.members))
        return {**done, "removed": admission.removed, "learner": admission.learner}

    def joined(self, deadline_s: float) -> dict[str, Any]:
        """Wait until this member serves, promote it if it is to vote, put etcd.yml back."""
        done = wait_joined(self.topology, self.node, self.client_for, deadline_s)
        return {**done, "restored": self.restore()}

    def restore(self) -> bool:
        """Write etcd.yml as declared; False when it was.

        The file keeps its time: a file that is newer than its container asks for a restart of etcd
        (`pgha.node.facts.stale_components`), and what is put back here etcd has no use for.
        """
        path = Path(etcd.config_file(self.topology, self.node).path)
        before = path.stat() if path.exists() else None
        changed = self._write(None)
        if changed and before:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return changed

    def _write(self, first_start: Mapping[str, str] | None) -> bool:
        wanted = etcd.config_file(self.topology, self.node, first_start)
        changed = file_changes([wanted])
        for file, _ in changed:
            write_file(file)
        return bool(changed)
