"""When the next scheduled backup is due, from the pillar's switch and the last good backup.

The Salt master's scheduler asks every few minutes (``postgres.backup_if_due``), so a master that
was down at the hour catches up when it is back.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def is_due(schedule: str, last: datetime | None, now: datetime) -> bool:
    """Whether a backup should be made now.

    Args:
        schedule: ``off``, ``HH:MM`` (every day, UTC) or an interval such as ``6h``; as validated in
            ``postgresql_backup_schedule``.
        last: when the last good backup ended.
    """
    if schedule == "off":
        return False
    if last is None:
        return True
    interval = re.fullmatch(r"(\d+)([mhd])", schedule)
    if interval:
        return now - last >= timedelta(**{_UNITS[interval[2]]: int(interval[1])})
    return last < _latest(schedule, now)


def _latest(time_of_day: str, now: datetime) -> datetime:
    """The last moment before now at which the clock showed this time, UTC."""
    hour, minute = (int(part) for part in time_of_day.split(":"))
    today = now.astimezone(timezone.utc).replace(hour=hour, minute=minute, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)
