"""A dump from anywhere fits our cluster, and data passes as it is wherever the stream is cut."""

from __future__ import annotations

import pytest

from pgha.backup.adapt import Adapter

DUMP = b"""\
-- PostgreSQL database cluster dump
DROP DATABASE shop;
DROP ROLE postgres;
DROP ROLE shop;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER PASSWORD 'SCRAM-SHA-256$old';
ALTER ROLE postgres SET work_mem TO '8MB';
CREATE ROLE "odd ""name";
CREATE ROLE pgbouncer;
\\connect template1

-- PostgreSQL database dump
CREATE DATABASE shop WITH TEMPLATE = template0 LOCALE_PROVIDER = libc LOCALE = 'en_US.utf8';
CREATE DATABASE other WITH TEMPLATE = template0 LOCALE_PROVIDER = libc LOCALE = 'C.utf8';
COPY public.notes (note) FROM stdin;
CREATE ROLE postgres;
DROP DATABASE shop;
\\\\.
\\\\\\\\.
\\.
COPY public.empty (note) FROM stdin;
\\.
CREATE ROLE postgres;
SELECT 1;
"""

FITTED = (
    DUMP.replace(b"DROP DATABASE shop;\nDROP", b"DROP DATABASE IF EXISTS shop;\nDROP", 1)
    .replace(b"DROP ROLE postgres;\nDROP ROLE shop;", b"DROP ROLE IF EXISTS shop;")
    .replace(b"CREATE ROLE postgres;\nALTER ROLE postgres WITH", b"ALTER ROLE postgres WITH", 1)
    .replace(b"ALTER ROLE postgres WITH SUPERUSER PASSWORD 'SCRAM-SHA-256$old';\n", b"")
    .replace(b"LOCALE = 'en_US.utf8'", b"LOCALE = 'C.UTF-8'")
)


def adapted(size: int) -> tuple[bytes, list[str]]:
    adapter = Adapter({"postgres", "replicator", "rewind"}, {"C", "POSIX", "C.UTF-8"})
    pieces = (DUMP[start : start + size] for start in range(0, len(DUMP), size))
    return b"".join(adapter.stream(pieces)), adapter.notes


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
def test_own_roles_keep_their_passwords_and_data_is_not_touched(size: int) -> None:
    text, _ = adapted(size)
    assert text == FITTED


def test_what_was_changed_is_told() -> None:
    _, notes = adapted(4096)
    assert len(notes) == 1
    assert "Database shop" in notes[0]
    assert "en_US.utf8" in notes[0]


def test_data_without_an_end_is_still_passed_on() -> None:
    text = b"COPY public.t (a) FROM stdin;\nhalf"
    assert b"".join(Adapter(set(), set()).stream([text])) == text
