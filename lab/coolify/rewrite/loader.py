"""YAML as symfony/yaml 7 reads it (contract 3.1).

Differences to PyYAML's YAML 1.1: `yes/no/on/off` are strings, `0440` is a string, `0o17` is an
integer, `22:22` stays text, an unquoted date becomes a Unix timestamp. Duplicate keys, tabs used
for indentation, tags, several documents and unknown aliases are errors.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import yaml


class ComposeSyntaxError(Exception):
    """The text is not YAML that Coolify can read (the API answers 500)."""


_INTEGER = re.compile(r"^[-+]?(0|[1-9][0-9_]*)$")
_OCTAL = re.compile(r"^[-+]?0o[0-7_]+$")
_HEX = re.compile(r"^0x[0-9a-fA-F_]+$")
_FLOAT = re.compile(r"^[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?$")
_LEADING_ZERO = re.compile(r"^[-+]?0[0-9_]")
_SPECIAL_FLOAT = re.compile(r"^([-+]?\.inf|\.nan)$", re.IGNORECASE)
_DATE = re.compile(
    r"^\d{4}-\d{1,2}-\d{1,2}([Tt]|[ \t]+)?(\d{1,2}:\d{2}:\d{2}(\.\d*)?)?"
    r"[ \t]*(Z|[-+]\d{1,2}(:?\d{2})?)?$"
)
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


class _Loader(yaml.SafeLoader):
    """SafeLoader without YAML 1.1's implicit types."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        "<": [("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"))],
        "": [("tag:yaml.org,2002:null", re.compile(r"^$"))],
    }


def load(text: str) -> Any:
    """The parsed document. Raises ComposeSyntaxError."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise ComposeSyntaxError(type(error).__name__) from None


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> Any:
    value = loader.construct_scalar(node)
    if node.style is not None:
        return value
    return plain_value(str(value))


def plain_value(text: str) -> Any:
    """What an unquoted scalar means to symfony/yaml."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.match(text):
        return int(text.replace("_", ""))
    if _OCTAL.match(text):
        return int(text.replace("_", "").replace("0o", ""), 8)
    if _HEX.match(text):
        return int(text.replace("_", ""), 16)
    if _SPECIAL_FLOAT.match(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if _FLOAT.match(text) and not _LEADING_ZERO.match(text):
        return float(text.replace("_", ""))
    return _timestamp(text) if _DATE.match(text) else text


def _timestamp(text: str) -> Any:
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return text
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp())


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    if len(set(keys)) != len(keys):
        raise yaml.constructor.ConstructorError(None, None, "duplicate key", node.start_mark)
    loader.flatten_mapping(node)
    pairs = ((_key(loader, key), value) for key, value in node.value)
    return {key: loader.construct_object(value, deep=True) for key, value in pairs}


def _key(loader: _Loader, node: yaml.Node) -> Any:
    key = loader.construct_object(node, deep=True)
    if isinstance(key, bool) or key is None or isinstance(key, float):
        return node.value
    if not isinstance(key, (str, int)):
        raise yaml.constructor.ConstructorError(None, None, "complex key", node.start_mark)
    return key


_Loader.add_constructor("tag:yaml.org,2002:str", _scalar)
_Loader.add_constructor("tag:yaml.org,2002:null", _scalar)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
for _tag in ("bool", "int", "float", "timestamp", "value"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _scalar)
