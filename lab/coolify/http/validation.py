"""A small part of Laravel's validator, with its default texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .errors import ApiError, invalid

Rule: TypeAlias = Callable[[str, Any], "str | None"]
Errors: TypeAlias = dict[str, Any]

_NAME = re.compile(r"^[\w\s\-./@&()#,:+]+$", re.UNICODE)
_NAME_TEXT = (
    "The {} may only contain letters (including Unicode), numbers, spaces, "
    "and these characters: - _ . / @ & ( ) # , : +"
)


def string(field: str, value: Any) -> str | None:
    return None if isinstance(value, str) else f"The {field} field must be a string."


def boolean(field: str, value: Any) -> str | None:
    good = (
        isinstance(value, bool)
        or (isinstance(value, int) and value in (0, 1))
        or value in ("0", "1")
    )
    return None if good else f"The {field} field must be true or false."


def integer(field: str, value: Any) -> str | None:
    good = isinstance(value, int) and not isinstance(value, bool)
    good = good or (isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value) is not None)
    return None if good else f"The {field} field must be an integer."


def array(field: str, value: Any) -> str | None:
    return None if isinstance(value, (list, dict)) else f"The {field} field must be an array."


def at_least(minimum: int) -> Rule:
    def check(field: str, value: Any) -> str | None:
        good = not isinstance(value, int) or value >= minimum
        return None if good else f"The {field} field must be at least {minimum}."

    return check


def at_most(maximum: int) -> Rule:
    def check(field: str, value: Any) -> str | None:
        good = not isinstance(value, int) or value <= maximum
        return None if good else f"The {field} field must not be greater than {maximum}."

    return check


def max_length(limit: int) -> Rule:
    def check(field: str, value: Any) -> str | None:
        good = not isinstance(value, str) or len(value) <= limit
        return None if good else f"The {field} field must not be greater than {limit} characters."

    return check


def min_length(limit: int) -> Rule:
    def check(field: str, value: Any) -> str | None:
        good = not isinstance(value, str) or len(value) >= limit
        return None if good else f"The {field} must be at least {limit} characters."

    return check


def matches(pattern: re.Pattern[str]) -> Rule:
    def check(field: str, value: Any) -> str | None:
        good = not isinstance(value, str) or pattern.fullmatch(value) is not None
        return None if good else f"The {field} field format is invalid."

    return check


def safe_name(field: str, value: Any) -> str | None:
    good = not isinstance(value, str) or _NAME.fullmatch(value) is not None
    return None if good else _NAME_TEXT.format(field)


class Fields:
    """Rules per field; `errors` collects one list of texts per field.

    `required_text`: endpoints behind customApiValidator say `This field is required.`.
    """

    def __init__(self, data: Mapping[str, Any], *, required_text: str | None = None) -> None:
        self._data, self._required_text = data, required_text
        self.errors: Errors = {}

    def required(self, field: str, *rules: Rule) -> Fields:
        if self._data.get(field) is None:
            text = self._required_text or f"The {_words(field)} field is required."
            self.errors[field] = [text]
            return self
        return self._apply(field, rules)

    def optional(self, field: str, *rules: Rule) -> Fields:
        """Absent is fine; null has to pass the rules."""
        return self._apply(field, rules) if field in self._data else self

    def nullable(self, field: str, *rules: Rule) -> Fields:
        """Absent and null are fine."""
        return self if self._data.get(field) is None else self._apply(field, rules)

    def refuse_unknown(self, allowed: set[str]) -> Fields:
        for field in self._data:
            if field not in allowed:
                self.errors[field] = ["This field is not allowed."]
        return self

    def check(self) -> None:
        if self.errors:
            raise self.failure()

    def failure(self) -> ApiError:
        return invalid(self.errors)

    def _apply(self, field: str, rules: tuple[Rule, ...]) -> Fields:
        texts = [text for rule in rules if (text := rule(_words(field), self._data[field]))]
        if texts:
            self.errors[field] = texts
        return self


def truthy(value: Any) -> bool:
    return value in (True, 1, "1", "true", "on", "yes")


def flag(text: str | None, default: bool) -> bool:
    """A boolean query parameter, PHP's FILTER_VALIDATE_BOOLEAN."""
    if text is None:
        return default
    return text.strip().lower() in ("1", "true", "on", "yes")


def _words(field: str) -> str:
    return field.replace("_", " ")
