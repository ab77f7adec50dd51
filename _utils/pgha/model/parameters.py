"""What can be wrong with ``postgresql_parameters``.

Patroni passes a fixed set of parameters to the server itself and silently keeps its own value when
ours is too small (patroni.readthedocs.io, "PostgreSQL parameters controlled by Patroni", and
``CMDLINE_OPTIONS`` in ``patroni/postgresql/config.py``); silence is what we turn into an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from pgha.model.rules import is_number, shown

KEY = "postgresql_parameters"

_BY_PATRONI = "Patroni sets it on every member"
_RECOVERY = "Patroni sets it on replicas"
_BY_FILES = "the cluster's file layout sets it"
_TLS = "the cluster's own certificate authority sets it"

REFUSED: dict[str, str] = {
    "listen_addresses": "it follows from the node's ip and postgresql_member_port",
    "port": "set postgresql_member_port instead",
    "cluster_name": "set postgresql_cluster_name instead",
    "hot_standby": f"{_BY_PATRONI} (always on)",
    "wal_log_hints": f"{_BY_PATRONI} (always on, pg_rewind needs it)",
    "synchronous_standby_names": "set postgresql_synchronous_mode instead",
    "wal_keep_segments": "PostgreSQL 13 replaced it by wal_keep_size",
    **dict.fromkeys(
        ("primary_conninfo", "primary_slot_name", "recovery_target", "recovery_target_timeline"),
        _RECOVERY,
    ),
    **dict.fromkeys(
        ("data_directory", "config_file", "hba_file", "ident_file", "external_pid_file"), _BY_FILES
    ),
    "unix_socket_directories": _BY_FILES,
    **dict.fromkeys(("ssl", "ssl_cert_file", "ssl_key_file", "ssl_ca_file"), _TLS),
    "password_encryption": "the cluster accepts SCRAM only",
}

# Below these Patroni ignores the declared value.
MINIMUMS: dict[str, int] = {
    "max_connections": 25,
    "max_wal_senders": 3,
    "max_prepared_transactions": 0,
    "max_locks_per_transaction": 32,
    "max_replication_slots": 4,
    "max_worker_processes": 2,
}

# Parameters that PostgreSQL measures in bytes or in time; a bare number means its base unit.
_BYTES = frozenset(
    """shared_buffers work_mem maintenance_work_mem autovacuum_work_mem logical_decoding_work_mem
    effective_cache_size temp_buffers wal_buffers max_wal_size min_wal_size wal_keep_size
    max_slot_wal_keep_size temp_file_limit min_dynamic_shared_memory max_stack_depth
    wal_segment_size backend_flush_after bgwriter_flush_after checkpoint_flush_after
    log_rotation_size min_parallel_table_scan_size min_parallel_index_scan_size
    gin_pending_list_limit huge_page_size log_parameter_max_length""".split()  # noqa: SIM905
)
_TIMES = frozenset(
    """statement_timeout lock_timeout idle_in_transaction_session_timeout idle_session_timeout
    transaction_timeout deadlock_timeout checkpoint_timeout checkpoint_warning wal_sender_timeout
    wal_receiver_timeout wal_receiver_status_interval wal_retrieve_retry_interval archive_timeout
    autovacuum_naptime autovacuum_vacuum_cost_delay vacuum_cost_delay bgwriter_delay
    wal_writer_delay log_min_duration_statement log_autovacuum_min_duration log_rotation_age
    max_standby_streaming_delay max_standby_archive_delay tcp_keepalives_idle
    tcp_keepalives_interval tcp_user_timeout authentication_timeout
    client_connection_check_interval recovery_min_apply_delay
    log_startup_progress_interval""".split()  # noqa: SIM905
)
_AMOUNT = r"-?[0-9]+(\.[0-9]+)?\s*"
_BYTE_VALUE = re.compile(rf"{_AMOUNT}(B|kB|MB|GB|TB)?")
_TIME_VALUE = re.compile(rf"{_AMOUNT}(us|ms|s|min|h|d)?")
_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")


def parameter_problems(parameters: object) -> list[str]:
    """Everything that is wrong with the declared PostgreSQL parameters."""
    if not isinstance(parameters, Mapping):
        return [f"{KEY} is {shown(parameters)}: it must be a mapping of parameter to value."]
    return [
        f"{KEY}:{name} {problem}."
        for name, value in parameters.items()
        for problem in _problems(name, value)
    ]


def _problems(name: object, value: object) -> Iterator[str]:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield "is not a PostgreSQL parameter name: use a-z, 0-9 and _, in lower case"
    elif name in REFUSED:
        yield f"cannot be set: {REFUSED[name]}"
    elif not isinstance(value, (str, int, float)) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        yield f"is {shown(value)}: it must be a single text, number or true/false"
    elif isinstance(value, str) and not value.isprintable():
        yield f"is {shown(value)}: it must not contain line breaks or control characters"
    else:
        yield from _value_problems(name, value)


def _value_problems(name: str, value: str | float) -> Iterator[str]:
    if name in MINIMUMS:
        yield from _count_problems(name, value)
    elif name == "wal_level" and value not in ("replica", "logical"):
        yield f"is {shown(value)}: it must be replica or logical, replicas need no less"
    elif name in _BYTES and not _BYTE_VALUE.fullmatch(str(value)):
        yield f"is {shown(value)}: it must be a number with B, kB, MB, GB or TB, as in 16MB"
    elif name in _TIMES and not _TIME_VALUE.fullmatch(str(value)):
        yield f"is {shown(value)}: it must be a number with us, ms, s, min, h or d, as in 30s"


def _count_problems(name: str, value: object) -> Iterator[str]:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if not isinstance(number, int) or not is_number(number) or number < MINIMUMS[name]:
        yield (
            f"is {shown(value)}: it must be a whole number of at least {MINIMUMS[name]}; "
            "Patroni ignores a smaller one"
        )
