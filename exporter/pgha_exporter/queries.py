"""The statements of the PostgreSQL source (PostgreSQL 15 to 18, role in pg_monitor)."""

from __future__ import annotations

from typing import LiteralString

SLOTS_SHOWN = 50

NODE = """
SELECT r.recovery,
       current_setting('transaction_read_only')::bool,
       CASE WHEN NOT r.recovery
            THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
            ELSE (SELECT greatest(
                    (SELECT received_tli FROM pg_stat_wal_receiver),
                    (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                    (SELECT timeline_id FROM pg_control_checkpoint()))) END,
       CASE WHEN NOT r.recovery THEN pg_current_wal_lsn() - '0/0'::pg_lsn END,
       CASE WHEN r.recovery THEN pg_last_wal_receive_lsn() - '0/0'::pg_lsn END,
       CASE WHEN r.recovery THEN pg_last_wal_replay_lsn() - '0/0'::pg_lsn END,
       CASE WHEN r.recovery THEN pg_is_wal_replay_paused() END,
       extract(epoch FROM pg_postmaster_start_time())::float8,
       current_setting('server_version'),
       (SELECT system_identifier::text FROM pg_control_system()),
       (SELECT sum(numbackends) FROM pg_stat_database)::int,
       current_setting('max_connections')::int,
       current_setting('archive_mode') <> 'off'
  FROM (SELECT pg_is_in_recovery() AS recovery) r
"""

RECEIVER = """
SELECT status = 'streaming', extract(epoch FROM last_msg_receipt_time)::float8
  FROM pg_stat_wal_receiver
"""

SLOTS = """
SELECT json_build_array(
         s.slot_name, s.active,
         (pg_wal_lsn_diff(
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                 ELSE pg_current_wal_lsn() END,
            s.restart_lsn))::float8,
         s.safe_wal_size::float8, s.wal_status,
         {inactive_since}) AS fields,
       count(*) OVER () AS number
  FROM pg_replication_slots s
 WHERE NOT s.temporary
 ORDER BY s.slot_name
 LIMIT {shown}
"""

ARCHIVER = """
SELECT extract(epoch FROM last_archived_time)::float8, extract(epoch FROM last_failed_time)::float8
  FROM pg_stat_archiver
"""

WAL_DIRECTORY = "SELECT sum(size)::float8 FROM pg_ls_waldir()"

ARCHIVE_READY = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%%.ready'"

# What Patroni sets on each node for itself, what follows from the role, and what names the node.
SETTINGS = """
SELECT md5(string_agg(name || '=' || coalesce(reset_val, ''), E'\\n' ORDER BY name))
  FROM pg_settings
 WHERE source IN ('configuration file', 'command line', 'override', 'environment variable')
   AND context <> 'internal'
   AND name NOT IN (
     'listen_addresses', 'port', 'cluster_name', 'data_directory', 'config_file', 'hba_file',
     'ident_file', 'external_pid_file', 'primary_conninfo', 'primary_slot_name',
     'synchronous_standby_names', 'recovery_target_timeline', 'restore_command',
     'recovery_target', 'recovery_target_lsn', 'recovery_target_name', 'recovery_target_time',
     'recovery_target_xid', 'recovery_target_action', 'promote_trigger_file', 'TimeZone',
     'log_timezone', 'synchronized_standby_slots', 'transaction_read_only',
     'transaction_isolation', 'transaction_deferrable', 'wal_buffers')
"""

HBA = """
SELECT type, database, user_name, address, netmask, auth_method, options
  FROM pg_hba_file_rules() WHERE error IS NULL ORDER BY line_number
"""

LISTEN = "SELECT current_setting('listen_addresses')"


FACTS = """
SELECT node.*, receiver.*, archiver.*, slots.shown, slots.number
  FROM ({node}) node
  LEFT JOIN ({receiver}) receiver ON true
  LEFT JOIN ({archiver}) archiver ON true
 CROSS JOIN (SELECT coalesce(json_agg(s.fields), '[]') AS shown,
                    coalesce(max(s.number), 0) AS number
               FROM ({slots}) s) slots
"""


def facts(server_version: int) -> LiteralString:
    """All that a collection asks, as one statement: each costs the exporter 0.1 ms of CPU.

    One row: NODE's, RECEIVER's and ARCHIVER's columns, the slots as JSON, and how many there are.
    """
    return FACTS.format(
        node=NODE, receiver=RECEIVER, archiver=ARCHIVER, slots=slots(server_version)
    )


def slots(server_version: int) -> LiteralString:
    """``inactive_since`` is there from PostgreSQL 17 on (``server_version`` as 170002)."""
    column: LiteralString = "NULL::float8"
    if server_version >= 170000:
        column = "coalesce(extract(epoch FROM s.inactive_since), 0)::float8"
    return SLOTS.format(inactive_since=column, shown=SLOTS_SHOWN)
