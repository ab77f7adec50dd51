"""What an expression of PromQL asks for: its metrics, matchers and the labels it groups by.

Not a parser: promtool says whether an expression is valid. This reads the tokens of a valid one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      | (?P<range>\[[^]]*\])
      | (?P<number>\d[\w.]*)
      | (?P<name>[a-zA-Z_:][\w:]*)
      | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^=<>(){},@])
      | (?P<space>\s+)""",
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}


@dataclass(frozen=True)
class Selector:
    """A metric with what its labels must be: ``(label, operator, value)``."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()


@dataclass
class Expression:
    """The selectors of an expression, and every label it groups or joins by."""

    selectors: list[Selector] = field(default_factory=list)
    grouping: set[str] = field(default_factory=set)

    @property
    def metrics(self) -> set[str]:
        return {selector.metric for selector in self.selectors}


def read(text: str) -> Expression:
    """Read an expression; raises ValueError for a character that PromQL does not have."""
    found = Expression()
    tokens = _tokens(text)
    while tokens:
        kind, token = tokens.pop(0)
        if kind != "name" or token.lower() in _WORDS:
            continue
        if token in _GROUPING:
            if _next(tokens) == "(":
                found.grouping |= {name for kind, name in _until(tokens, ")") if kind == "name"}
        elif _next(tokens) != "(" and not _is_aggregation(tokens):
            found.selectors.append(Selector(token, _matchers(tokens)))
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match or not match.lastgroup:
            raise ValueError(f"cannot read {text[position:]!r}")
        position = match.end()
        if match.lastgroup not in ("space", "range"):
            tokens.append((match.lastgroup, match[0]))
    return tokens


def _next(tokens: list[tuple[str, str]]) -> str:
    return tokens[0][1] if tokens else ""


def _is_aggregation(tokens: list[tuple[str, str]]) -> bool:
    """``max by (scope) (...)``: a function whose argument comes after its labels."""
    return _next(tokens) in ("by", "without")


def _until(tokens: list[tuple[str, str]], end: str) -> list[tuple[str, str]]:
    taken = []
    while _next(tokens) != end:
        taken.append(tokens.pop(0))
    tokens.pop(0)
    return taken


def _matchers(tokens: list[tuple[str, str]]) -> tuple[tuple[str, str, str], ...]:
    if _next(tokens) != "{":
        return ()
    inside = [token for _kind, token in _until(tokens, "}") if token not in ("{", ",")]
    triples = zip(inside[::3], inside[1::3], inside[2::3], strict=True)
    return tuple((label, sign, value[1:-1]) for label, sign, value in triples)
