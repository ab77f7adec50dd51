"""YAML as symfony/yaml reads and writes it (contract 3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from lab.coolify.rewrite.dumper import dump
from lab.coolify.rewrite.loader import ComposeSyntaxError, load


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("~", None),
        ("0440", "0440"),
        ("0o440", 288),
        ("0x1F", 31),
        ("1_000", 1000),
        ("22:22", "22:22"),
        ("2024-01-02", 1704153600),
        ("1.50", 1.5),
        ("'1.50'", "1.50"),
    ],
)
def test_plain_scalars(text: str, value: Any) -> None:
    assert load(f"k: {text}") == {"k": value}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2",
        "a:\n\tb: 1",
        "a: !reset x",
        "a: 1\n---\nb: 2",
        "a: *unknown",
        "a: [",
        "{[]: 1}",
    ],
)
def test_what_symfony_cannot_read(text: str) -> None:
    with pytest.raises(ComposeSyntaxError):
        load(text)


def test_anchors_and_merge_keys_are_expanded() -> None:
    text = "x: &x {image: i, init: true}\ns:\n  <<: *x\n  init: false\n"
    assert load(text)["s"] == {"image": "i", "init": False}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a:b", "'a:b'"),
        ("0.0.0.0", "0.0.0.0"),
        ("5432", "'5432'"),
        ("-c", "'-c'"),
        ("true", "'true'"),
        ("it's a", '"it\'s a"'),
        ("two\nlines", '"two\\nlines"'),
        ("", "''"),
        ("2024-01-02", "'2024-01-02'"),
        ("c=x$y", "c=x$y"),
        (None, "null"),
        ([], "{  }"),
        (288, "288"),
    ],
)
def test_quoting(value: Any, text: str) -> None:
    assert dump({"k": value}) == f"k: {text}\n"


def test_deep_nesting_becomes_flow_style() -> None:
    value: Any = {"leaf": ["a", "b c"]}
    for _ in range(9):
        value = {"n": value}
    assert dump(value).splitlines()[-1].strip() == "leaf: [a, 'b c']"


def test_what_is_dumped_reads_back() -> None:
    value = {"a": ["x: y", "#", "null", {"b": None, "c": 1.5}], "d": "q\"'\\\t"}
    assert load(dump(value)) == value
