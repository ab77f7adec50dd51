"""How one sees that a dump is whole: the lines that pg_dump, pg_dumpall and we end with."""

from __future__ import annotations

import re

DUMP_ENDS = b"-- PostgreSQL database dump complete"
CLUSTER_DUMP_ENDS = b"-- PostgreSQL database cluster dump complete"
CLUSTER_DUMP_BEGINS = b"-- PostgreSQL database cluster dump"
OURS_BEGINS = b"-- pgha backup of "
OURS_ENDS = b"-- pgha backup complete"

TAIL = 4096
"""Bytes; since 16.10 an ``\\unrestrict`` line follows the mark."""
HEAD = 1024**2
"""Bytes; the first database of a dump begins within them, its version with it."""

_DUMPED_FROM = re.compile(rb"^-- Dumped from database version (\d+)", re.MULTILINE)


def header(cluster: str, started_at: str) -> bytes:
    """What a backup file begins with."""
    return OURS_BEGINS + f"{cluster}, begun {started_at}\n-- Restore: zcat FILE | psql\n\n".encode()


def footer() -> bytes:
    """What a backup file ends with."""
    return b"\n" + OURS_ENDS + b"\n"


def ends_well(head: bytes, tail: bytes) -> bool:
    """Whether the end of a file is that of a whole dump, made here, by pg_dumpall or by pg_dump."""
    if head.startswith(OURS_BEGINS):
        return OURS_ENDS in tail
    return CLUSTER_DUMP_ENDS in tail or DUMP_ENDS in tail


def looks_like_a_dump(head: bytes) -> bool:
    """Whether a file begins as a plain dump does; a custom format archive begins with PGDMP."""
    return head.startswith(OURS_BEGINS) or b"-- PostgreSQL database" in head


def is_one_database(head: bytes) -> bool:
    """Whether pg_dump made it, of one database, rather than pg_dumpall or we."""
    return not head.startswith(OURS_BEGINS) and CLUSTER_DUMP_BEGINS not in head


def dumped_from(head: bytes) -> int | None:
    """The newest major version that the dumps in this text say they are from."""
    found = [int(version) for version in _DUMPED_FROM.findall(head)]
    return max(found, default=None)
