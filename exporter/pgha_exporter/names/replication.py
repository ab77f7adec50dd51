"""WAL of this node: how far it is, who sends it, which slots keep it."""

from __future__ import annotations

from pgha_exporter.names.metric import gauge, stateset

WAL_POSITIONS = ("current", "receive", "replay")
SLOT_STATUSES = ("reserved", "extended", "unreserved", "lost")

WAL_POSITION = gauge(
    "pgha_wal_position_bytes",
    "WAL position: current on a leader, receive and replay on a replica.",
    "member",
    "position",
    position=WAL_POSITIONS,
)
WAL_RECEIVER_STREAMING = gauge(
    "pgha_wal_receiver_streaming",
    "1 when a replica's WAL receiver streams; only in recovery.",
    "member",
)
WAL_RECEIVER_LAST_MESSAGE = gauge(
    "pgha_wal_receiver_last_message_timestamp_seconds",
    "When the WAL receiver last heard from its sender; an idle cluster sends every 30 s.",
    "member",
)
REPLAY_PAUSED = gauge(
    "pgha_replay_paused", "1 when WAL replay is paused; only in recovery.", "member"
)
SLOT_ACTIVE = gauge(
    "pgha_slot_active", "1 when a client uses the replication slot.", "member", "slot"
)
SLOT_RETAINED = gauge(
    "pgha_slot_retained_bytes", "WAL that the replication slot keeps.", "member", "slot"
)
SLOT_SAFE_WAL = gauge(
    "pgha_slot_safe_wal_bytes",
    "WAL that can still be written before the slot is lost; absent without max_slot_wal_keep_size.",
    "member",
    "slot",
)
SLOT_INACTIVE_SINCE = gauge(
    "pgha_slot_inactive_since_timestamp_seconds",
    "Since when the slot is unused; 0 while it is used. PostgreSQL 17 and later.",
    "member",
    "slot",
)
SLOT_WAL_STATUS = stateset(
    "pgha_slot_wal_status",
    "Whether the WAL that the slot needs is still there.",
    "member",
    "slot",
    "status",
    status=SLOT_STATUSES,
)
SLOTS_OMITTED = gauge(
    "pgha_slots_omitted", "Replication slots beyond the 50 that are published.", "member"
)
