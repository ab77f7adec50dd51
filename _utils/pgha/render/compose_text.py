"""Write compose documents as text that Coolify's YAML round trip cannot misread.

Coolify parses and dumps the text twice (contract 3.1): comments and anchors are lost, ``yes`` and
``0440`` change type, duplicate keys are errors. So: block style, every string in double quotes,
only maps, lists, strings, whole numbers and booleans, keys in the given order, no tabs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Value = Mapping[str, "Value"] | Sequence["Value"] | str | int | bool


def compose_text(document: Mapping[str, Value]) -> str:
    """Return a compose document as text; equal documents give equal text.

    Raises:
        ValueError: the text holds a ``$``, which Coolify and Compose would both interpret.
    """
    text = "".join(f"{line}\n" for line in _map_lines(document, ""))
    if "$" in text:
        raise ValueError("a compose text of ours must not contain '$'")
    return text


def _map_lines(mapping: Mapping[str, Value], indent: str) -> list[str]:
    lines: list[str] = []
    for key, value in mapping.items():
        lines += _entry(f"{indent}{json.dumps(key)}:", value, indent + "  ")
    return lines


def _entry(head: str, value: Value, indent: str) -> list[str]:
    if isinstance(value, Mapping):
        return [head, *_map_lines(value, indent)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [head, *(f"{indent}- {json.dumps(item)}" for item in value)]
    return [f"{head} {json.dumps(value)}"]
