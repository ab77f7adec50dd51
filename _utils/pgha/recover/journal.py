"""The note of a recovery that has begun: which copy was chosen, so that nobody chooses again.

It lies in the state directory from before the first change until the cluster works. While it is
there, a deploy refuses: started in between, it could let another copy take the lead.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pgha.errors import DamagedStateError
from pgha.statefiles import replace


@dataclass(frozen=True)
class Note:
    """``operation`` is the orchestration's name; ``lost`` are the nodes it was told to give up."""

    operation: str
    chosen: str
    lost: tuple[str, ...] = ()


def path_of(state_dir: Path, cluster: str) -> Path:
    return state_dir / f".{cluster}.recovery.json"


def read(state_dir: Path, cluster: str) -> Note | None:
    """The note of an interrupted recovery, None when there is none.

    Raises:
        DamagedStateError: the file is not what `write` wrote.
    """
    path = path_of(state_dir, cluster)
    try:
        raw = json.loads(path.read_text(encoding="ascii"))
        return Note(raw["operation"], raw["chosen"], tuple(raw["lost"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedStateError(
            f"{path} is not readable; look which server holds the newest data (`salt '*' "
            "postgres_data.position`), remove the file and run the recovery again"
        ) from error


def write(state_dir: Path, cluster: str, note: Note) -> None:
    replace(path_of(state_dir, cluster), json.dumps(asdict(note)))


def remove(state_dir: Path, cluster: str) -> None:
    path_of(state_dir, cluster).unlink(missing_ok=True)


def command(note: Note) -> str:
    """What to type to take an interrupted recovery up."""
    lost = f" pillar='{{\"lost\": {json.dumps(list(note.lost))}}}'" if note.lost else ""
    return f"salt-run state.orchestrate postgres.{note.operation}{lost}"


def problem(state_dir: Path, cluster: str) -> str | None:
    """Why a deploy must wait, None when it need not."""
    note = read(state_dir, cluster)
    if note is None:
        return None
    return f"a recovery onto {note.chosen} was interrupted; take it up first: {command(note)}"
