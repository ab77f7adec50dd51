"""Verify a backup: restore it into a throwaway PostgreSQL and compare it with its manifest.

The throwaway runs on the Salt master in a container of the image that the servers run, without any
network, in a folder below the backups that is gone afterwards.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pgha.backup.access import conninfo, give_to_tools
from pgha.backup.check import Checked, check_backup
from pgha.backup.dump import amount
from pgha.backup.load import BACKUP_FOLDER, Loaded, load, summary
from pgha.backup.store import BackupStore, remove
from pgha.backup.take import backup_store
from pgha.backup.told import tell
from pgha.backup.tools import ToolError, Tools, ensure_image, output
from pgha.errors import FailedError, PghaError, RefusedError
from pgha.lock import utc_now
from pgha.operate.operation import Operation, Outcome
from pgha.render.accounts import SUPERUSER
from pgha.render.places import POSTGRES, POSTGRES_DATA, POSTGRES_VOLUME, SOCKETS
from pgha.wait import Pending, poll

START_DEADLINE_S = 120
"""initdb on a slow disk."""
RESERVE_BYTES = 256 * 1024**2

# Nothing here must survive a crash, so nothing waits for the disk.
_SETTINGS = (
    "listen_addresses=", f"unix_socket_directories={SOCKETS}", "fsync=off", "full_page_writes=off",
    "synchronous_commit=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off",
    "max_wal_size=4GB", "maintenance_work_mem=256MB",
)  # fmt: skip
_START = (
    "initdb --pgdata {data} --username {user} --auth trust --encoding UTF8 --locale C.UTF-8 "
    "--no-sync >{volume}/log 2>&1 && exec postgres -D {data} {settings} >>{volume}/log 2>&1"
)


def verify_backup(operation: Operation, name: str | None) -> Outcome:
    """Restore one backup into a throwaway server, compare, and write the result beside it.

    Args:
        name: name or path; the newest one without.

    Raises:
        NotFoundError, DamagedStateError, RefusedError: it cannot be restored.
        FailedError: it was restored and is not what its manifest says.
    """
    backups = backup_store(operation)
    path = backups.find(name)
    if operation.test:
        return Outcome({path.name: {"old": None, "new": "verified"}})
    backups.remove_unfinished()
    started, clock = utc_now(), time.monotonic()
    try:
        loaded = _verified(operation, backups, path)
    except (FailedError, PghaError) as error:
        _record(backups, path, {"ok": False, "verified_at": _iso(started), "problem": str(error)})
        raise
    seconds = round(time.monotonic() - clock, 1)
    record = {
        "ok": True,
        "verified_at": _iso(utc_now()),
        "duration_s": seconds,
        "image": operation.topology.images.patroni,
        "rows": loaded.row_count,
    }
    _record(backups, path, record)
    report = f"{path.name} was restored and compared: {summary(loaded.rows)}, {seconds} s."
    untold = tell(operation, backups.all())
    return Outcome({path.name: {"old": None, "new": "verified"}}, [report, *loaded.notes, *untold])


def _verified(operation: Operation, backups: BackupStore, path: Path) -> Loaded:
    with operation.step(f"reading {path.name}"):
        checked = check_backup(path, operation.topology.version, operation.show_progress)
    _require_room(backups.root, checked)
    with (
        operation.step(f"restoring {path.name} into a throwaway PostgreSQL"),
        _throwaway(operation, backups, checked) as server,
    ):
        return load(server, checked, operation.show_progress)


def _record(backups: BackupStore, path: Path, record: dict[str, Any]) -> None:
    # Beside a file from elsewhere nothing is written: its folder is not ours.
    if path.parent == backups.root:
        backups.record_verified(path, record)


def _require_room(root: Path, checked: Checked) -> None:
    needed, free = checked.needed_bytes + RESERVE_BYTES, shutil.disk_usage(root).free
    if free < needed:
        raise RefusedError(
            f"Only {amount(free)} are free for {root} on the Salt master and about "
            f"{amount(needed)} are needed to restore {checked.path.name} there; make room, then "
            "run again."
        )


@dataclass(frozen=True)
class Throwaway:
    """A server in a container without network; see `pgha.backup.load.Target`."""

    container: str

    def command(self, tool: list[str], *, interactive: bool = False) -> list[str]:
        return [
            "docker",
            "exec",
            *(["--interactive"] if interactive else []),
            self.container,
            *tool,
        ]

    def conninfo(self, database: str) -> str:
        return conninfo({"host": SOCKETS, "user": SUPERUSER, "dbname": database})


@contextmanager
def _throwaway(operation: Operation, backups: BackupStore, checked: Checked) -> Iterator[Throwaway]:
    folder = Path(tempfile.mkdtemp(prefix=".verify-", dir=backups.root))
    give_to_tools(folder)
    tools = _tools(operation, folder, checked)
    ensure_image(tools.image)
    tools.remove_stale()
    try:
        server = Throwaway(output(_start(tools)).strip())
        _wait_ready(server, folder)
        yield server
    finally:
        tools.remove_stale()
        remove(folder)


def _tools(operation: Operation, folder: Path, checked: Checked) -> Tools:
    topology = operation.topology
    tools = Tools(topology.images.patroni, topology.cluster).with_mount(folder, POSTGRES_VOLUME)
    return tools.with_mount(checked.path, BACKUP_FOLDER, "ro") if checked.is_directory else tools


def _start(tools: Tools) -> list[str]:
    settings = " ".join(f"-c {setting}" for setting in _SETTINGS)
    script = _START.format(
        data=POSTGRES_DATA, user=SUPERUSER, volume=POSTGRES_VOLUME, settings=settings
    )
    sockets = f"{SOCKETS}:uid={POSTGRES},gid={POSTGRES},mode=0755"
    return [
        "docker", "run", "--detach", *tools.fences(), "--network", "none",
        "--tmpfs", sockets, "--shm-size", "1g",
        "--entrypoint", "sh", tools.image, "-c", script,
    ]  # fmt: skip


def _wait_ready(server: Throwaway, folder: Path) -> None:
    def check() -> bool | Pending:
        try:
            output(server.command(["pg_isready", "-q", "-h", SOCKETS]))
        except ToolError as error:
            if "is not running" in error.said or "No such container" in error.said:
                raise FailedError(
                    f"The throwaway PostgreSQL did not start: {_log(folder)}"
                ) from error
            return Pending("it does not accept connections yet")
        return True

    poll(check, deadline_s=START_DEADLINE_S, interval_s=0.2, what="the throwaway PostgreSQL")


def _log(folder: Path) -> str:
    try:
        return (folder / "log").read_text(errors="replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        return "it said nothing"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
