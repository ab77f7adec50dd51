"""The rewriting against what a real Coolify made of the same text (golden/: recorded live)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.coolify.lifecycle.dotenv import render
from lab.coolify.rewrite.dumper import dump
from lab.coolify.rewrite.labels import Identity
from lab.coolify.rewrite.loader import load
from lab.coolify.rewrite.parser import rewrite, service_names

GOLDEN = Path(__file__).parent / "golden"
PROJECT = "lab proj"


def read(name: str) -> str:
    return (GOLDEN / name).read_text("utf-8")


def generate(stored: str, expected: str, *, escape: bool) -> str:
    """Rewrite with the ids and names found in the expected text."""
    uuid = re.findall(r"COOLIFY_RESOURCE_UUID: (\S+)", expected)[0]
    labels = dict(re.findall(r"- coolify\.(\w+)=(\S+)", expected))
    raw = load(stored)
    ids = re.findall(r"subId=(\d+)", expected)
    sub_ids = {str(name): int(ids[position]) for position, name in enumerate(raw["services"])}
    identity = Identity(
        uuid, int(labels["serviceId"]), labels["resourceName"], PROJECT, labels["environmentName"]
    )
    parsed = rewrite(raw, identity, sub_ids.__getitem__, stored={}, escape_labels=escape)
    return dump(parsed.document)


NAMES = ["three-services", "every-quirk", "one-shot", "list-environment", "depends-on"]


@pytest.mark.parametrize("name", NAMES)
def test_stored_text_is_coolifys_to_the_character(name: str) -> None:
    assert dump(load(read(f"{name}.sent.yml"))) == read(f"{name}.stored.yml")


@pytest.mark.parametrize("name", NAMES)
def test_generated_text_is_coolifys_to_the_character(name: str) -> None:
    expected = read(f"{name}.generated.yml")
    assert generate(read(f"{name}.stored.yml"), expected, escape=False) == expected


def test_dollars_in_labels_are_doubled_only_by_the_second_parse() -> None:
    expected = read("list-environment-after-start.generated.yml")
    assert "d=x$$$$y" in expected
    assert generate(read("list-environment.stored.yml"), expected, escape=True) == expected


def test_golden_example_of_the_contract() -> None:
    """Contract 8.2, produced there by Coolify's own parser."""
    raw = load(read("contract-8.2.stored.yml"))
    identity = Identity("U", 7, "stack", "my-proj", "production")
    parsed = rewrite(raw, identity, {"agent": 101, "web": 102}.__getitem__, stored={})
    assert dump(parsed.document) == read("contract-8.2.generated.yml")
    assert [(item.key, item.value) for item in parsed.variables] == [("API_KEY", None)]


def test_env_file_is_coolifys_to_the_character() -> None:
    names = service_names(["agent", "router", "plain"])
    rows = [
        ("API_KEY", 's3cr$t "q" # x', True, False),
        ("WITH_DEFAULT", "dflt", False, False),
        ("OK1", "v", True, False),
        ("PW", "pw1", True, False),
        ("MULTI", "line1\nline2", True, True),
        ("JSONV", '{"a":"$b"}', True, False),
        ("NL", "trim me", False, False),
    ]
    variables = [
        {"key": key, "value": value, "is_literal": literal, "is_multiline": multiline}
        for key, value, literal, multiline in rows
    ]
    assert render(names, variables) == read("three-services.env")
