"""Who leads after a loss, and what is said to be lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgha.errors import ConflictError, NotFoundError
from pgha.recover.copies import Copy, compared, lsn_number, lsn_text, most_advanced

ONE = Copy("n1", "h1", "77", "in production", 3, 0x5000, None, {1: 0x1000, 2: 0x4000})


def copy(node: str, timeline: int, lsn: int) -> Copy:
    return replace(ONE, node=node, timeline=timeline, lsn=lsn)


def test_a_newer_timeline_wins_over_more_wal_on_an_older_one() -> None:
    copies = [copy("old", 2, 0x9000), copy("new", 3, 0x5000), copy("behind", 3, 0x4F00)]
    assert most_advanced(copies).node == "new"


def test_of_equal_copies_the_first_declared_is_chosen() -> None:
    assert most_advanced([copy("a", 3, 5), copy("b", 3, 5)]).node == "a"


def test_copies_of_different_databases_are_not_compared() -> None:
    with pytest.raises(ConflictError, match=r"n1 77, n2 78"):
        most_advanced([ONE, replace(ONE, node="n2", system="78")])


def test_without_any_copy_a_backup_is_the_way() -> None:
    with pytest.raises(NotFoundError, match="restore a backup"):
        most_advanced([])


@pytest.mark.parametrize(
    ("timeline", "lsn", "words"),
    [
        (3, 0x4F00, "x is 256 bytes behind and catches up"),
        (2, 0x4000, "x is on timeline 2 and catches up"),
        (2, 0x4010, "16 bytes of WAL on timeline 2 that n1 never got; they are lost"),
        (4, 0x9000, "not in the history of n1"),
    ],
)
def test_every_other_copy_is_told_what_becomes_of_it(timeline: int, lsn: int, words: str) -> None:
    assert words in compared(ONE, copy("x", timeline, lsn))


def test_lsn_is_written_as_postgresql_does() -> None:
    assert lsn_text(lsn_number("2/3000148")) == "2/3000148"
    assert lsn_number("1/0") == 1 << 32
