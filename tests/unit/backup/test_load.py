"""What was restored is compared table by table."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgha.backup.load import differences, require_same, summary
from pgha.errors import FailedError
from tests.unit.backup.samples import described, ours, put_gzip


def test_every_difference_is_named(tmp_path: Path) -> None:
    made = described(put_gzip(tmp_path / "postgres_backup_1.sql.gz", ours()))
    assert differences(made, {"application": {"public.t": 3}, "template1": {}}) == []
    assert differences(made, {"application": {"public.t": 2, "public.new": 0}}) == [
        "application: public.new has 0 rows, expected no such table",
        "application: public.t has 2 rows, expected 3 rows",
    ]
    with pytest.raises(FailedError, match=r"postgres_backup_1.*public\.t has no such table"):
        require_same(made, {})


def test_the_summary_counts() -> None:
    rows = {"a": {"public.t": 3, "public.u": 0}, "b": {"public.t": 4}}
    assert summary(rows) == "7 rows in 3 tables of 2 databases"
