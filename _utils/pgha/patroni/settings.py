"""Do two values of a PostgreSQL setting mean the same?

``16MB`` and ``16384kB`` do, ``on`` and ``true`` do, ``100`` and ``"100"`` do. A number without unit
counts in the setting's own unit, which only the server knows, so ``16MB`` and ``2048`` are taken as
different: the declared text is then written once and matches from then on.
Units: https://www.postgresql.org/docs/current/config-setting.html
"""

from __future__ import annotations

import re
from decimal import Decimal

_MEMORY = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME_US = {
    "us": 1,
    "ms": 1000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_QUANTITY = re.compile(r"^([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]*)$")
_WORDS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def same_value(one: object, other: object) -> bool:
    """True when PostgreSQL would read both as the same value."""
    if isinstance(one, (list, dict)) or isinstance(other, (list, dict)):
        return one == other
    if one is None or other is None:
        return one is other
    return _meaning(one) == _meaning(other)


def as_number(value: object) -> Decimal | None:
    """A quantity in bytes, microseconds or plain units; None when it is not one."""
    meaning = _meaning(value)
    return meaning[1] if meaning[0] in ("memory", "time", "number") else None  # type: ignore[return-value]


def _meaning(value: object) -> tuple[str, object]:
    if isinstance(value, bool):
        return ("switch", value)
    text = str(value).strip()
    if text.lower() in _WORDS:
        return ("switch", _WORDS[text.lower()])
    return _quantity(text) or ("text", text)


def _quantity(text: str) -> tuple[str, Decimal] | None:
    match = _QUANTITY.match(text)
    if not match:
        return None
    amount, unit = Decimal(match[1]), match[2]
    if not unit:
        return ("number", amount)
    if unit in _MEMORY:
        return ("memory", amount * _MEMORY[unit])
    if unit in _TIME_US:
        return ("time", amount * _TIME_US[unit])
    return None
