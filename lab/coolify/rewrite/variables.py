"""Environment of a compose service: extraction of variables and the map Coolify writes (3.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..ids import random_text
from .errors import ParserError

_BRACED = re.compile(r"^\$\{([A-Za-z_][A-Za-z0-9_.]*)(?:(:?[-?])(.*))?\}$", re.DOTALL)
_BARE = re.compile(r"^\$([A-Za-z_][A-Za-z0-9_]*)$")
_MAGIC = re.compile(
    r"\$\{?(SERVICE_(?:PASSWORD|PASSWORDWITHSYMBOLS|USER|LOWERCASEUSER|BASE64|REALBASE64|HEX)_[A-Z0-9_]+)"
)
_LENGTH = re.compile(r"_(32|64|128)_")


@dataclass
class Variable:
    """A row of /envs as the parser wants it; `value` is used only when the row is new."""

    key: str
    value: str | None = None
    is_required: bool = False


@dataclass(frozen=True)
class Extracted:
    """`environment`: the map for the generated file before Coolify's own entries."""

    environment: dict[Any, Any]
    variables: list[Variable]


def extract(service: Mapping[str, Any], stored: Mapping[str, str | None]) -> Extracted:
    """Read `environment` and `build.args`; `stored` are the values of existing variables.

    Raises ParserError for values such as `$$x` or `$HOME/x`.
    """
    pairs = _pairs(service)
    variables: list[Variable] = []
    environment: dict[Any, Any] = {}
    for key, value in pairs.items():
        variables.extend(_magic(value, stored))
        environment[key] = _resolve(value, stored, variables)
    return Extracted(environment, variables)


def _pairs(service: Mapping[str, Any]) -> dict[Any, Any]:
    build = service.get("build")
    arguments = build.get("args") if isinstance(build, Mapping) else None
    pairs = _as_map(service.get("environment"), merged=bool(arguments))
    pairs.update(_as_map(arguments, merged=False))
    return pairs


def _as_map(environment: Any, *, merged: bool) -> dict[Any, Any]:
    if isinstance(environment, Mapping):
        return dict(environment)
    result: dict[Any, Any] = {}
    for position, entry in enumerate(environment if isinstance(environment, list) else []):
        key, separator, value = str(entry).partition("=")
        if separator:
            result[key] = value
        elif merged:
            # `- FOO` beside build.args ends up under its list index (seen live).
            result[position] = key
        else:
            result[key] = ""
    return result


def _resolve(value: Any, stored: Mapping[str, str | None], found: list[Variable]) -> Any:
    text = value if isinstance(value, str) else None
    if text is None or not text.startswith("$"):
        return value
    match = _BRACED.match(text)
    if match is None:
        bare = _BARE.match(text)
        if bare is None:
            raise ParserError("a value starts with $ but names no variable")
        found.append(Variable(bare.group(1)))
        return text
    return _resolve_braced(match, text, stored, found)


def _resolve_braced(
    match: re.Match[str], text: str, stored: Mapping[str, str | None], found: list[Variable]
) -> Any:
    name, operator, default = match.groups()
    if operator is None:
        if not _MAGIC.match(text):
            found.append(Variable(name))
        return text
    required = "?" in operator
    value = default if default or not required else None
    found.append(Variable(name, value, required))
    if value is None:
        return f"${{{name}}}"
    return stored.get(name, value)


def _magic(value: Any, stored: Mapping[str, str | None]) -> list[Variable]:
    names = _MAGIC.findall(value) if isinstance(value, str) else []
    return [Variable(name, stored.get(name) or _generate(name)) for name in names]


def _generate(name: str) -> str:
    length = _LENGTH.search(name)
    default = 16 if "USER_" in name else 32
    return random_text(int(length.group(1)) if length else default)
