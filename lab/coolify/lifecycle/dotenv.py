"""The `.env` file beside the compose file, and `real_value` (contract 3.8)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..store.database import Row


def real_value(row: Row) -> str:
    """The value as it stands in `.env`."""
    value: str | None = row["value"]
    quoted = row["is_literal"] or row["is_multiline"]
    if value is None:
        return "''" if quoted else ""
    if _is_json(value):
        return value
    if quoted:
        return f"'{value}'"
    return "".join(f"\\{char}" if char in "\\\"'" else char for char in value)


def render(names: Mapping[str, str], variables: Sequence[Row]) -> str:
    lines = [f"{key}={value}" for key, value in names.items()]
    lines += [f"{row['key']}={real_value(row)}" for row in variables]
    return "\n".join(lines)


def _is_json(value: str) -> bool:
    if value[:1] not in ("{", "["):
        return False
    try:
        json.loads(value)
    except ValueError:
        return False
    return True
