"""Restore a backup as a part of a deploy: before the leader is made, and after.

`prepare` looks at the backup and at the cluster, refuses or clears the place; the deploy then
initialises a leader, `restore` fills and compares it, and only then replicas and routers come.
"""

from __future__ import annotations

import time
from typing import Any

from pgha.backup import clearing, journal
from pgha.backup.access import IN_CONTAINER, Access, access, credentials
from pgha.backup.check import Checked, check_backup
from pgha.backup.dump import amount
from pgha.backup.journal import Journal
from pgha.backup.load import BACKUP_FOLDER, Loaded, load, summary
from pgha.backup.store import BackupStore
from pgha.backup.take import backup_store
from pgha.backup.tools import ToolError, Tools, ensure_image
from pgha.deploy.deployment import Deployment
from pgha.errors import FailedError, RefusedError
from pgha.lock import utc_now
from pgha.operate.operation import require_confirmation
from pgha.secrets import SecretStore
from pgha.topology import Node

LEADER_DEADLINE_S = 60
RESERVE_BYTES = 1024**3
"""WAL of the restore: the default max_wal_size."""


def prepare(
    deployment: Deployment, backup: str | None, confirm: str | None
) -> tuple[dict[str, Any], list[str]]:
    """Make sure that the backup can be restored and that there is a place for it.

    Args:
        backup: name or path of the backup.
        confirm: the cluster's name, needed when data is in the way or the backup is of another
            cluster.

    Raises:
        NotFoundError, DamagedStateError: no such backup, or not a whole one.
        RefusedError: the cluster holds data, a disk is too small, the version is too new.
    """
    checked = _checked(deployment, backup)
    found = clearing.data_found(deployment)
    _require_room(deployment, checked)
    begun = journal.read(deployment.state_dir, deployment.topology)
    _require_consent(deployment, checked, found, begun, confirm)
    changes = {checked.path.name: {"old": None, "new": "restored"}}
    changes |= {
        f"data of {host}": {"old": amount(size), "new": "kept aside"}
        for host, size in found.items()
    }
    if deployment.test:
        return changes, []
    started = utc_now()
    begun = Journal(str(checked.path), started.isoformat(timespec="seconds"))
    journal.write(deployment.state_dir, deployment.topology, begun)
    aside = clearing.clear(deployment, f"before-restore-{started:%Y%m%dT%H%M%SZ}")
    deployment.keep.append(checked)
    return changes, _kept(aside)


def _kept(aside: dict[str, str]) -> list[str]:
    paths = sorted(set(aside.values()))
    return [
        f"The old data is kept in {path} on {', '.join(h for h, p in aside.items() if p == path)}; "
        "remove it when nobody needs it."
        for path in paths
    ]


def restore(deployment: Deployment, backup: str | None) -> tuple[dict[str, Any], list[str]]:
    """Fill the new leader and compare it with the manifest.

    Raises:
        FailedError: what was restored is not what it should be; routers stay closed.
    """
    backups = backup_store(deployment)
    path = backups.find(backup)
    if deployment.test:
        return {path.name: {"old": None, "new": "restored"}}, []
    clock = time.monotonic()
    checked = next(kept for kept in deployment.keep if isinstance(kept, Checked))
    leader = deployment.topology.node(_leader(deployment))
    with deployment.step(f"restoring {path.name} on {leader.host}"):
        loaded = _loaded(deployment, backups, checked, leader)
    journal.remove(deployment.state_dir, deployment.topology)
    compared = "compared with its manifest" if checked.manifest else "counted (it has no manifest)"
    report = (
        f"Restored {path.name} on {leader.host} and {compared}: {summary(loaded.rows)}, "
        f"{time.monotonic() - clock:.1f} s{_moment(checked)}."
    )
    return {path.name: {"old": None, "new": "restored"}}, [report, *loaded.notes]


def _leader(deployment: Deployment) -> str:
    """The node that was initialised; only there does Patroni run yet."""
    name: str = deployment.ask_one(
        deployment.topology.preferred_primary.host,
        "patroni.wait_leader",
        deadline=LEADER_DEADLINE_S,
        timeout_s=LEADER_DEADLINE_S + 30,
    )
    return name


def _loaded(deployment: Deployment, backups: BackupStore, checked: Checked, leader: Node) -> Loaded:
    topology = deployment.topology
    secrets = SecretStore.of(deployment.state_dir, topology)
    backups.ensure()
    backups.remove_unfinished()
    with credentials(secrets, backups.root) as folder:
        tools = Tools(topology.images.patroni, topology.cluster, {folder: (IN_CONTAINER, "ro")})
        if checked.is_directory:
            tools = tools.with_mount(checked.path, BACKUP_FOLDER, "ro")
        ensure_image(tools.image)
        tools.remove_stale()
        member = access(topology, leader, secrets, folder)
        try:
            return load(_Member(tools, member), checked, deployment.show_progress)
        except ToolError as error:
            raise FailedError(
                f"{error}. The routers stay closed; mend the cause and run the same command again, "
                "it begins anew."
            ) from error
        finally:
            tools.remove_stale()


def _moment(checked: Checked) -> str:
    """What a restore costs: everything that was written after the dump began."""
    if not checked.manifest:
        return ""
    return f": what was written after {checked.manifest.started_at} is not in it"


class _Member:
    """A member of the cluster, reached from the master; see `pgha.backup.load.Target`."""

    def __init__(self, tools: Tools, member: Access) -> None:
        self._tools = tools
        self._member = member

    def command(self, tool: list[str], *, interactive: bool = False) -> list[str]:
        return self._tools.command(tool, interactive=interactive)

    def conninfo(self, database: str) -> str:
        return self._member.for_tools(database)


def _checked(deployment: Deployment, backup: str | None) -> Checked:
    if not backup:
        raise RefusedError(
            'Which backup? Name it: pillar \'{"backup_file": "postgres_backup_..."}\', or '
            "BACKUP= (make); `salt-run postgres.backups` lists them."
        )
    path = backup_store(deployment).find(backup)
    with deployment.step(f"reading {path.name}"):
        return check_backup(path, deployment.topology.version, deployment.show_progress)


def _require_consent(
    deployment: Deployment,
    checked: Checked,
    found: dict[str, int],
    begun: Journal | None,
    confirm: str | None,
) -> None:
    """What the operator must know first, all at once; our own half-done restore was asked about."""
    if begun and begun.backup == str(checked.path):
        return
    reasons = [*_of_another(deployment, checked), *_in_the_way(deployment, checked, found)]
    if reasons:
        require_confirmation(deployment, confirm, ", and ".join(reasons))


def _of_another(deployment: Deployment, checked: Checked) -> list[str]:
    own, cluster = deployment.topology.cluster, checked.manifest and checked.manifest.cluster
    if not cluster or cluster == own:
        return []
    return [f"{checked.path.name} is a backup of {cluster}, not of {own}"]


def _in_the_way(deployment: Deployment, checked: Checked, found: dict[str, int]) -> list[str]:
    if not found:
        return []
    where = ", ".join(f"{host} ({amount(size)})" for host, size in found.items())
    return [
        f"{deployment.topology.cluster} holds data on {where}, which would be kept aside there and "
        f"replaced by {checked.path.name}{_moment(checked)}; applications cannot connect meanwhile"
    ]


def _require_room(deployment: Deployment, checked: Checked) -> None:
    needed = checked.needed_bytes + RESERVE_BYTES
    short = {
        host: facts["free_bytes"]
        for host, facts in deployment.facts.items()
        if facts["free_bytes"] < needed
    }
    if short:
        where = ", ".join(f"{host} ({amount(free)} free)" for host, free in short.items())
        raise RefusedError(
            f"{checked.path.name} needs about {amount(needed)} for /var/lib/pgha on every "
            f"server, besides what is kept; too little on {where}. Make room and run again."
        )
