"""Structured logs: one line per event in logfmt, on standard error."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import datetime, timezone

_PLAIN = re.compile(r"[\w.:/@+-]+")


class Logfmt(logging.Formatter):
    """``ts=... level=... logger=... msg="..."`` and whatever is in ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, timezone.utc)
        fields = {
            "ts": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("pgha_exporter."),
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return " ".join(f"{name}={_value(value)}" for name, value in fields.items())


def configure(level: str) -> None:
    """Send everything of the level and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Logfmt())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # It logs every request, with its address, at info.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
