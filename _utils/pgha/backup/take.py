"""Take a backup: choose a source, dump it, describe it, keep it, let old ones go."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pgha.backup import manifest as manifests
from pgha.backup import marks, snapshot
from pgha.backup.access import IN_CONTAINER, Access, access, credentials
from pgha.backup.dump import Dump, Dumped, amount
from pgha.backup.gzipped import LEVEL
from pgha.backup.names import FORMATS, new_name
from pgha.backup.sources import Source, sources, why_not_a_replica
from pgha.backup.store import BackupStore, remove
from pgha.backup.told import tell
from pgha.backup.tools import DockerError, ToolError, Tools, ensure_image, output
from pgha.deploy.fleet import Answer
from pgha.errors import FailedError, RefusedError, UnreachableError
from pgha.lock import utc_now
from pgha.operate.operation import Operation, Outcome
from pgha.secrets import SecretStore
from pgha.statefiles import flush
from pgha.topology import Topology

ASK_TIMEOUT_S = 15
FIRST_RATIO = 0.5
"""Backup bytes per database byte when there is no earlier backup to tell."""
RESERVE_BYTES = 64 * 1024**2
FULL_BELOW_BYTES = 1024**2
"""What a tool may leave of a disk on which it could not write any more."""


def backup_store(operation: Operation) -> BackupStore:
    """The backups of the operation's cluster."""
    return BackupStore(store_root(operation.state_dir, operation.topology))


def store_root(state_dir: Path, topology: Topology) -> Path:
    """``state/postgresql/backups``, or below the folder of a further cluster."""
    return SecretStore.of(state_dir, topology).root / "postgresql" / "backups"


def take_backup(operation: Operation, form: str) -> Outcome:
    """Make one backup; see docs/backup.md.

    Args:
        form: ``sql`` or ``directory``.

    Raises:
        RefusedError: an unknown form, or too little room. FailedError: no source could be dumped,
            or the backup could not be written.
    """
    if form not in FORMATS:
        raise RefusedError(f"'{form}' is not a format of backups; the formats are sql, directory.")
    topology, backups = operation.topology, backup_store(operation)
    with operation.step("choosing a source"):
        answers = operation.fleet.ask(
            operation.hosts, "patroni.status", cluster=topology.cluster, timeout_s=ASK_TIMEOUT_S
        )
        chosen = sources(topology, answers)
    name = new_name(utc_now(), form)
    changes = {name: {"old": None, "new": f"{form} from {chosen[0].node.host}"}}
    if operation.test:
        return Outcome(changes, [_choice(topology, chosen[0], answers)])
    secrets = SecretStore.of(operation.state_dir, topology)
    with _writing_to(backups.root):
        backups.ensure()
        backups.remove_unfinished()
        with credentials(secrets, backups.root) as folder:
            run = _Run(operation, backups, secrets, folder, name, form)
            return run.from_first_of(chosen, answers)


@contextmanager
def _writing_to(root: Path) -> Iterator[None]:
    """A full disk in one sentence, whatever could not be written to it."""
    try:
        yield
    except OSError as error:
        raise FailedError(
            f"{root} on the Salt master cannot be written: {error.strerror}; nothing that looks "
            "like a backup is left. Make room and run again."
        ) from error


@dataclass
class _Run:
    """One run that has its lock, its secrets and its name."""

    operation: Operation
    backups: BackupStore
    secrets: SecretStore
    folder: Path
    name: str
    form: str

    @property
    def tools(self) -> Tools:
        topology = self.operation.topology
        return Tools(topology.images.patroni, topology.cluster, {self.folder: (IN_CONTAINER, "ro")})

    def from_first_of(self, chosen: list[Source], answers: dict[str, Answer]) -> Outcome:
        """Dump the first source that lasts; a dead one, or one whose replay ended the dump, is
        left for the next. The report says so."""
        ensure_image(self.tools.image)
        self.tools.remove_stale()
        failures: list[str] = []
        for source in chosen:
            try:
                made = self._dump(source, failures)
            except DockerError:
                raise
            except (UnreachableError, ToolError) as error:
                failures.append(f"{source.node.host}: {error}")
                continue
            notes = [_choice(self.operation.topology, source, answers, failures)]
            return self._outcome(made, notes)
        raise FailedError(
            "No backup was made, and nothing that looks like one is left. "
            + " ".join(f"{failure.rstrip('.')}." for failure in failures)
        )

    def _dump(self, source: Source, failures: list[str]) -> manifests.Manifest:
        member = access(self.operation.topology, source.node, self.secrets, self.folder)
        started, clock = utc_now(), time.monotonic()
        cluster = snapshot.look(member)
        self._require_room(cluster)
        temporary = self.backups.root / f".{self.name}"
        with self._leaving_nothing(temporary):
            with self.operation.step(f"dumping {source.node.host} to {self.name}"):
                dumped = self._write(member, cluster, started, temporary)
            made = self._describe(source, cluster, dumped, started, clock, failures)
            self._publish(temporary, made)
        return made

    def _write(
        self, member: Access, cluster: snapshot.Cluster, started: datetime, temporary: Path
    ) -> Dumped:
        begun = started.isoformat(timespec="seconds")
        header = marks.header(self.operation.topology.cluster, begun)
        dump = Dump(member, self.tools, cluster, header, self.operation.show_progress)
        if self.form == "sql":
            return dump.to_file(temporary)
        return dump.to_directory(temporary, jobs=os.cpu_count() or 1)

    def _require_room(self, cluster: snapshot.Cluster) -> None:
        held = sum(cluster.sizes.values())
        needed = int(held * self._ratio(held)) + RESERVE_BYTES
        free = shutil.disk_usage(self.backups.root).free
        if free < needed:
            raise RefusedError(
                f"Only {amount(free)} are free for {self.backups.root} on the Salt master and "
                f"about {amount(needed)} are needed; make room or lower "
                "postgresql_backup_retention_days, then run again."
            )

    def _ratio(self, held: int) -> float:
        newest = self.backups.newest_good()
        last = newest.manifest if newest else None
        # That of a much smaller cluster says nothing: an empty one is all overhead.
        if last is None or last.database_bytes < held / 2:
            return FIRST_RATIO
        return 1.2 * last.size_bytes / last.database_bytes

    @contextmanager
    def _leaving_nothing(self, temporary: Path) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            full = isinstance(error, ToolError) and _is_full(self.backups.root)
            self.tools.remove_stale()
            remove(temporary)
            if full:  # no other source would do better
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise

    def _publish(self, temporary: Path, made: manifests.Manifest) -> None:
        final = self.backups.root / self.name
        manifests.write(final, made)
        # The manifest alone is no backup; with the rename both are there.
        temporary.rename(final)
        flush(self.backups.root)

    def _describe(
        self,
        source: Source,
        cluster: snapshot.Cluster,
        dumped: Dumped,
        started: datetime,
        clock: float,
        failures: list[str],
    ) -> manifests.Manifest:
        topology = self.operation.topology
        # A single file was digested under its temporary name.
        digests = {name.removeprefix("."): digest for name, digest in dumped.sha256.items()}
        return manifests.Manifest(
            cluster=topology.cluster,
            name=self.name,
            format=self.form,
            started_at=started.isoformat(timespec="seconds"),
            finished_at=utc_now().isoformat(timespec="seconds"),
            duration_s=round(time.monotonic() - clock, 1),
            postgresql_version=cluster.version,
            source={
                "node": source.node.name,
                "host": source.node.host,
                "role": source.role,
                "lag_bytes": source.lag_bytes,
            },
            databases=dumped.databases,
            sha256=digests,
            size_bytes=dumped.size_bytes,
            raw_bytes=dumped.raw_bytes,
            compression=f"gzip -{LEVEL}, {os.cpu_count() or 1} cores",
            tools={
                "image": topology.images.patroni,
                "pg_dump": output(self.tools.command(["pg_dump", "--version"])).strip(),
            },
            notes=list(failures),
        )

    def _outcome(self, made: manifests.Manifest, notes: list[str]) -> Outcome:
        days = self.operation.topology.backup_retention_days
        removed = self.backups.remove_expired(utc_now(), days)
        changes: dict[str, Any] = {self.name: {"old": None, "new": _size(made)}}
        changes |= {name: {"old": "expired", "new": None} for name in removed}
        notes += tell(self.operation, self.backups.all())
        return Outcome(changes, [*notes, _summary(self.backups.root, made)])


def _is_full(root: Path) -> bool:
    return shutil.disk_usage(root).free < FULL_BELOW_BYTES


def _choice(
    topology: Topology, source: Source, answers: dict[str, Answer], failures: Sequence[str] = ()
) -> str:
    if failures:
        tried = " ".join(f"{failure.rstrip('.')}." for failure in failures)
        return f"Taken from {source.node.host}, a {source.role}, after others failed: {tried}"
    if source.is_leader:
        return (
            f"Taken from the leader, {source.node.host}, because no replica was fit: "
            f"{why_not_a_replica(topology, answers)}."
        )
    return f"Taken from {source.node.host}, a replica {source.lag_bytes} bytes behind."


def _size(made: manifests.Manifest) -> str:
    return f"{amount(made.size_bytes)}, {made.row_count} rows"


def _summary(root: Path, made: manifests.Manifest) -> str:
    return (
        f"{root / made.name}: {_size(made)} in {len(made.databases)} databases, PostgreSQL "
        f"{made.postgresql_version}, {made.duration_s} s. Not verified yet: "
        "salt-run state.orchestrate postgres.backup_verify."
    )
