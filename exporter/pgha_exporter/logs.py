"""Structured logs: one line per event in logfmt, on standard error."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
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
    # They log every request, at debug with its headers and so with etcd's token.
    for chatty in ("httpx", "httpcore", "grpc", "etcd3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def quiet_threads() -> None:
    """etcd3's watch thread ends with a traceback when its channel is closed; that is no news."""
    usual = threading.excepthook

    def hook(found: threading.ExceptHookArgs) -> None:
        if not (found.thread and found.thread.name.startswith("etcd3_watch_")):
            usual(found)

    threading.excepthook = hook


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
