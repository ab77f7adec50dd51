"""What a restore has begun, so that a killed one can be finished and nobody opens a half-filled
cluster in between.

``state/postgresql/restore.json``, written before anything is touched and removed when the data is
there and compared.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from pgha import statefiles
from pgha.errors import ConflictError, DamagedStateError
from pgha.secrets import SecretStore
from pgha.topology import Topology


@dataclass(frozen=True)
class Journal:
    """One restore: the path of the backup, and when it was begun (UTC)."""

    backup: str
    started_at: str


def path_of(state_dir: Path, topology: Topology) -> Path:
    """Where the cluster's journal is."""
    return SecretStore.of(state_dir, topology).root / "postgresql" / "restore.json"


def read(state_dir: Path, topology: Topology) -> Journal | None:
    """The restore that has not ended; None when there is none.

    Raises:
        DamagedStateError: the file cannot be used.
    """
    path = path_of(state_dir, topology)
    try:
        return Journal(**json.loads(path.read_text(encoding="ascii")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise DamagedStateError(
            f"{path} says that a restore was begun and cannot be read ({type(error).__name__}); "
            "remove it once you know that the cluster's data is whole."
        ) from error


def write(state_dir: Path, topology: Topology, journal: Journal) -> None:
    """Write it, over the old one."""
    path = path_of(state_dir, topology)
    statefiles.ensure_directory(path.parent)
    statefiles.replace(path, json.dumps(dataclasses.asdict(journal)) + "\n")


def remove(state_dir: Path, topology: Topology) -> None:
    """The restore has ended well."""
    path_of(state_dir, topology).unlink(missing_ok=True)


def refuse_unfinished(state_dir: Path, topology: Topology) -> None:
    """Keep every other deploy away from a cluster that is only half restored.

    Raises:
        ConflictError: naming the restore to finish.
    """
    journal = read(state_dir, topology)
    if journal:
        raise ConflictError(
            f"The restore of {journal.backup}, begun {journal.started_at}, has not ended, so the "
            "cluster holds a part of it at most. Finish it: salt-run state.orchestrate "
            f'postgres.restore pillar=\'{{"backup_file": "{journal.backup}"}}\'.'
        )
