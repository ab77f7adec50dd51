"""Metrics of this node's PostgreSQL and Patroni."""

from __future__ import annotations

from pgha_exporter import names
from pgha_exporter.facts import Facts
from pgha_exporter.patroni.model import Own
from pgha_exporter.postgres import PostgresFacts, Slot
from pgha_exporter.samples import Samples


def publish(samples: Samples, facts: Facts) -> None:
    """Decisions always, facts when known."""
    me, postgres = facts.member, facts.postgres
    samples.add(names.POSTGRES_UP, postgres is not None, me)
    samples.add(names.POSTGRES_WRITABLE, bool(postgres and postgres.writable), me)
    samples.add(names.LEADER_LOCK_HELD, facts.leader == me, me)
    samples.state(names.ROLE, facts.role, me)
    if postgres:
        _postgres(samples, postgres, me)
        _replication(samples, postgres, me)
        _archive(samples, postgres, me)
    if facts.own:
        _patroni(samples, facts.own, me)
    _infos(samples, facts)


def _postgres(samples: Samples, postgres: PostgresFacts, me: str) -> None:
    samples.add(names.POSTGRES_IN_RECOVERY, postgres.in_recovery, me)
    samples.add(names.POSTGRES_START, postgres.started_at, me)
    samples.add(names.POSTGRES_TIMELINE, postgres.timeline, me)
    samples.add(names.POSTGRES_CONNECTIONS, postgres.connections, me)
    samples.add(names.POSTGRES_MAX_CONNECTIONS, postgres.max_connections, me)
    for position in names.WAL_POSITIONS:
        lsn = {
            "current": postgres.current,
            "receive": postgres.received,
            "replay": postgres.replayed,
        }[position]
        samples.add(names.WAL_POSITION, lsn, me, position)


def _replication(samples: Samples, postgres: PostgresFacts, me: str) -> None:
    samples.add(names.WAL_RECEIVER_STREAMING, postgres.streaming, me)
    samples.add(names.WAL_RECEIVER_LAST_MESSAGE, postgres.last_message, me)
    samples.add(names.REPLAY_PAUSED, postgres.replay_paused, me)
    for slot in postgres.slots:
        _slot(samples, slot, me)
    samples.add(names.SLOTS_OMITTED, postgres.slots_omitted, me)


def _slot(samples: Samples, slot: Slot, me: str) -> None:
    samples.add(names.SLOT_ACTIVE, slot.active, me, slot.name)
    # A replica's own slots may be ahead of what it has replayed.
    retained = max(slot.retained, 0) if slot.retained is not None else None
    samples.add(names.SLOT_RETAINED, retained, me, slot.name)
    samples.add(names.SLOT_SAFE_WAL, slot.safe, me, slot.name)
    samples.add(names.SLOT_INACTIVE_SINCE, slot.inactive_since, me, slot.name)
    samples.state(names.SLOT_WAL_STATUS, slot.status, me, slot.name)


def _archive(samples: Samples, postgres: PostgresFacts, me: str) -> None:
    samples.add(names.WAL_DIRECTORY, postgres.slow.wal_directory, me)
    samples.add(names.ARCHIVE_READY, postgres.slow.archive_ready, me)
    samples.add(names.ARCHIVE_LAST_SUCCESS, postgres.archived_at, me)
    samples.add(names.ARCHIVE_LAST_FAILURE, postgres.archive_failed_at, me)


def _patroni(samples: Samples, own: Own, me: str) -> None:
    state = own.state.replace(" ", "_")
    known = state if state in names.POSTGRES_STATES else "unknown"
    samples.state(names.POSTGRES_STATE, known, me)
    samples.add(names.FAILSAFE_ACTIVE, own.failsafe, me)
    samples.add(names.WATCHDOG_FAILED, own.watchdog_failed, me)
    samples.add(names.PENDING_RESTART_SETTINGS, own.pending_restart_settings, me)


def _infos(samples: Samples, facts: Facts) -> None:
    own, postgres = facts.own, facts.postgres
    if own or postgres:
        samples.info(
            names.NODE_INFO,
            facts.member,
            own.patroni_version if own else "",
            postgres.version if postgres else "",
            postgres.system_identifier if postgres else (own.system_identifier if own else ""),
        )
    if postgres and postgres.slow.settings_hash:
        slow = postgres.slow
        dcs = facts.patroni.config if facts.patroni else None
        samples.info(
            names.CONFIG_INFO,
            facts.member,
            dcs.hash if dcs else "",
            slow.hba_hash,
            slow.settings_hash,
        )
