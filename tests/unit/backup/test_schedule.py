"""When a scheduled backup is due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pgha.backup.schedule import is_due
from pgha.model.rules import backup_schedule
from tests.unit.backup.samples import NOW


@pytest.mark.parametrize(
    ("schedule", "hours_ago", "due"),
    [
        ("off", None, False),
        ("off", 1000, False),
        ("6h", None, True),
        ("6h", 5.9, False),
        ("6h", 6, True),
        ("15m", 0.3, True),
        ("1d", 23, False),
        ("05:30", 0.6, True),  # it is 06:00; the last one was made at 05:24
        ("05:30", 0.4, False),
        ("06:30", 1, False),  # yesterday's time was met; today's is to come
        ("06:30", 24, True),
    ],
)
def test_due(schedule: str, hours_ago: float | None, due: bool) -> None:
    last = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    assert is_due(schedule, last, NOW) is due


@pytest.mark.parametrize("value", ["off", False, "03:30", "15m", "6h", "7d"])
def test_allowed(value: object) -> None:
    assert backup_schedule(value) is None


@pytest.mark.parametrize("value", ["on", True, "3:30", "24:00", "5m", "0h", "8d", 6, None, "daily"])
def test_refused(value: object) -> None:
    assert "03:30" in str(backup_schedule(value))
