"""Differences of nested mappings, in the two forms that we need.

`diff` is for people (Salt's ``changes``), `merge_patch` for machines (Patroni's ``PATCH /config``).
In both, None and absent are the same, as in RFC 7396, where null removes a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``{key: {"old": ..., "new": ...}}``, nested where both sides are mappings; {} when equal."""
    changes: dict[str, Any] = {}
    for key in _keys(old, new):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            inner = diff(before, after)
            if inner:
                changes[key] = inner
        elif not _same(before, after):
            changes[key] = {"old": before, "new": after}
    return changes


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest RFC 7396 patch that turns ``old`` into ``new``; {} when they are equal."""
    patch: dict[str, Any] = {}
    for key in _keys(old, new):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            inner = merge_patch(before, after)
            if inner:
                patch[key] = inner
        elif not _same(before, after):
            patch[key] = after
    return patch


def patched(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` with an RFC 7396 patch applied: null removes, mappings merge, the rest replaces."""
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            result[key] = patched(before if isinstance(before, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    return dict.fromkeys([*old, *new])


def _same(before: object, after: object) -> bool:
    # In Python True == 1, but a setting that changes from 1 to true has changed.
    return before == after and isinstance(before, bool) == isinstance(after, bool)
