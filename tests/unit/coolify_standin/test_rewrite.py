"""Volumes, variables, refusals and database detection (contract 3.5, 3.7, 3.9, 3.11)."""

from __future__ import annotations

from typing import Any

import pytest

from lab.coolify.rewrite import guard
from lab.coolify.rewrite.databases import kind_of
from lab.coolify.rewrite.errors import ParserError
from lab.coolify.rewrite.variables import extract
from lab.coolify.rewrite.volumes import Volumes


def mounts(*volumes: Any) -> list[Any]:
    return Volumes("u1", {}, {}, []).rewrite("a", list(volumes))


def test_absolute_directory_with_mode_stays_as_it_is() -> None:
    text = "/etc/pgha/coolify_postgres/etcd:/etc/pgha:ro"
    assert mounts(text) == [text]


@pytest.mark.parametrize(
    ("volume", "rewritten"),
    [
        ("My.Vol_X:/d", "u1_myvol-x:/d"),
        ("./x:/d", "/data/coolify/services/u1/x:/d"),
        ("/anonymous", "/anonymous:/anonymous"),
        ("${DIR}:/d", "u1_dir:/d"),
        ("${DIR:-./d}:/d", "/data/coolify/services/u1/d:/d"),
    ],
)
def test_other_volumes(volume: str, rewritten: str) -> None:
    assert mounts(volume) == [rewritten]


def test_mode_of_a_short_volume_leaks_into_the_next_long_bind() -> None:
    long = {"type": "bind", "source": "/s", "target": "/t"}
    assert mounts("d1:/d1:ro", long)[1] == "/s:/t:ro"


def environment(value: str, **stored: str) -> tuple[Any, dict[str, Any]]:
    found = extract({"environment": {"K": value}}, stored)
    return found.environment["K"], {item.key: item.value for item in found.variables}


@pytest.mark.parametrize(
    ("value", "kept", "variables"),
    [
        ("${K}", "${K}", {"K": None}),
        ("${V:-d}", "d", {"V": "d"}),
        ("${V:?text}", "text", {"V": "text"}),
        ("${V:?}", "${V}", {"V": None}),
        ("http://${V}@h", "http://${V}@h", {}),
    ],
)
def test_extraction(value: str, kept: str, variables: dict[str, Any]) -> None:
    assert environment(value) == (kept, variables)


def test_stored_value_wins_over_the_default() -> None:
    assert environment("${V:-d}", V="set")[0] == "set"


@pytest.mark.parametrize("value", ["$$x", "$HOME/x", "${A}${B}"])
def test_parser_throws(value: str) -> None:
    with pytest.raises(ParserError):
        environment(value)


@pytest.mark.parametrize("name", ["a;b", "a`b", "a|b", "a$(b"])
def test_unsafe_service_names(name: str) -> None:
    with pytest.raises(guard.UnsafeComposeError, match="service name"):
        guard.check({"services": {name: {"image": "x"}}})


@pytest.mark.parametrize("volume", ["/x`id`:/y", "/x:/y;z", {"type": "bind", "source": "/a&b"}])
def test_unsafe_volumes(volume: Any) -> None:
    with pytest.raises(guard.UnsafeComposeError, match="Docker volume"):
        guard.check({"services": {"a": {"image": "x", "volumes": [volume]}}})


def test_defaulted_variable_is_a_safe_source() -> None:
    guard.check({"services": {"a": {"image": "x", "volumes": ["${DIR:-/d}/x:/y"]}}})


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ({"image": "docker.io/library/postgres:16"}, "database"),
        ({"image": "pgha/patroni:16-4.1.5-1"}, "application"),
        ({"image": "redis", "healthcheck": {"test": ["CMD", "curl", "x"]}}, "application"),
    ],
)
def test_database_detection(service: dict[str, Any], kind: str) -> None:
    assert kind_of(service) == kind


def test_long_ports_of_a_database_throw() -> None:
    with pytest.raises(ParserError):
        kind_of({"image": "postgres", "ports": [{"target": 5432}]})
