"""YAML as `Symfony\\Component\\Yaml\\Yaml::dump($value, 10, 2)` writes it.

Block style down to level 10, flow style below; list items of mappings start on a line of their own;
strings are quoted only where Symfony's Escaper quotes them.
"""

from __future__ import annotations

import math
import re
from typing import Any

_INLINE_LEVEL = 10
_INDENT = 2
_NEEDS_DOUBLE = re.compile("[\x00-\x1f\x7f\x85\u00a0\u2028\u2029]")
_WORDS = frozenset({"null", "~", "true", "false", "y", "n", "yes", "no", "on", "off"})
_NEEDS_SINGLE = re.compile(r"[\s'\":{}\[\],&*#?]|\A[-?|<>=!%@`]")
_NUMBER_LIKE = re.compile(r"^[0-9]+[_0-9]*$|^0x[0-9a-f_]+$", re.IGNORECASE)
_NUMERIC = re.compile(r"^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$")
_TIMESTAMP = re.compile(
    r"^\d{4}-\d{1,2}-\d{1,2}(([Tt]|[ \t]+)\d{1,2}:\d{2}:\d{2}(\.\d*)?"
    r"([ \t]*(Z|[-+]\d{1,2}(:\d{2})?))?)?$"
)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def dump(value: Any) -> str:
    """The document as text, ending in a newline."""
    return "".join(f"{line}\n" for line in _block(value, _INLINE_LEVEL, 0))


def _block(value: Any, depth_left: int, indent: int) -> list[str]:
    if depth_left <= 0 or not _is_collection(value):
        return [" " * indent + _inline(value)]
    lines: list[str] = []
    is_list = isinstance(value, list)
    items = [(None, item) for item in value] if is_list else list(value.items())
    for key, item in items:
        head = " " * indent + ("-" if is_list else f"{_inline(key)}:")
        if depth_left - 1 <= 0 or not _is_collection(item):
            lines.append(f"{head} {_inline(item)}")
        else:
            lines.append(head)
            lines.extend(_block(item, depth_left - 1, indent + _INDENT))
    return lines


def _is_collection(value: Any) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


def _inline(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list) and value:
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else ()
        return "{ " + ", ".join(f"{_inline(k)}: {_inline(v)}" for k, v in pairs) + " }"
    return _string(str(value))


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return "-.inf" if value < 0 else ".inf"
    return repr(value)


def _string(text: str) -> str:
    if text == "":
        return "''"
    if _NEEDS_DOUBLE.search(text):
        return _double(text)
    if _NUMERIC.match(text):
        return _single(text)
    if text.lower() in _WORDS or _NEEDS_SINGLE.search(text):
        return _shorter_quotes(text)
    if _NUMBER_LIKE.match(text) or _TIMESTAMP.match(text):
        return _single(text)
    return text


def _shorter_quotes(text: str) -> str:
    single = _single(text)
    if "'" not in text:
        return single
    double = _double(text)
    return double if len(double) < len(single) else single


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _double(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, _escape_control(char)) for char in text) + '"'


def _escape_control(char: str) -> str:
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    special = {0x85: "\\N", 0xA0: "\\_", 0x2028: "\\L", 0x2029: "\\P"}
    return special.get(code, char)
