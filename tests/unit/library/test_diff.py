from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pgha.diff import diff, merge_patch, patched

SCALARS = st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2) | st.lists(st.integers())
KEYS = st.sampled_from(["ttl", "work_mem", "parameters", "postgresql"])
# None means absent and an empty mapping cannot be told from an absent one in a merge patch.
TREES = st.recursive(
    st.dictionaries(KEYS, SCALARS, min_size=1, max_size=3),
    lambda inner: st.dictionaries(KEYS, SCALARS | inner, min_size=1, max_size=3),
    max_leaves=6,
)


@given(TREES, TREES)
def test_the_patch_leads_from_old_to_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = copy.deepcopy(old)

    assert patched(old, merge_patch(old, new)) == new
    assert old == before


@given(TREES, TREES)
def test_both_forms_agree_on_whether_anything_differs(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert bool(diff(old, new)) == bool(merge_patch(old, new))
    assert diff(old, copy.deepcopy(old)) == {}


@given(TREES, TREES)
def test_the_way_back_is_the_same_changes_turned_round(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    def turned(changes: dict[str, Any]) -> dict[str, Any]:
        if set(changes) == {"old", "new"}:
            return {"old": changes["new"], "new": changes["old"]}
        return {key: turned(inner) for key, inner in changes.items()}

    assert diff(new, old) == turned(diff(old, new))


def test_as_people_read_it() -> None:
    old = {"ttl": 30, "postgresql": {"parameters": {"work_mem": "4MB", "jit": "off"}}}
    new = {"ttl": 30, "postgresql": {"parameters": {"work_mem": "16MB", "max_wal_size": "1GB"}}}

    assert diff(old, new) == {
        "postgresql": {
            "parameters": {
                "work_mem": {"old": "4MB", "new": "16MB"},
                "jit": {"old": "off", "new": None},
                "max_wal_size": {"old": None, "new": "1GB"},
            }
        }
    }
    assert merge_patch(old, new) == {
        "postgresql": {"parameters": {"work_mem": "16MB", "jit": None, "max_wal_size": "1GB"}}
    }


def test_one_and_true_are_different_settings() -> None:
    assert diff({"a": 1}, {"a": True}) == {"a": {"old": 1, "new": True}}


def test_absent_and_none_are_the_same() -> None:
    assert diff({"a": None}, {}) == merge_patch({}, {"a": None}) == {}


def test_a_mapping_in_place_of_a_value_is_one_change() -> None:
    assert diff({"a": 1}, {"a": {"b": 2}}) == {"a": {"old": 1, "new": {"b": 2}}}
    assert patched({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}
