"""Editing somebody else's compose text: one entry more, everything else byte for byte."""

from __future__ import annotations

import pytest
import yaml

from pgha.coolify.extra_hosts import with_extra_host
from pgha.errors import ConflictError

NAME = "db.postgres.host.uk.com"
IP = "172.28.0.20"
ENTRY = f"{NAME}:{IP}"

PLAIN = """\
# shop, do not touch
services:
  web:   # the front
    image: 'shop/web:1'
    ports:
      - 22:22
    environment:
      MODE: 0440
      FLAG: yes
      DSN: "postgres://u@db.postgres.host.uk.com/shop"
    command: >
      a
      b
  worker:
    image: shop/worker:1
volumes: {}
"""


def hosts_of(compose: str, service: str) -> object:
    return yaml.safe_load(compose)["services"][service].get("extra_hosts")


def test_every_container_gets_the_entry_and_nothing_else_changes() -> None:
    changed = with_extra_host(PLAIN, NAME, IP)
    assert hosts_of(changed, "web") == [ENTRY]
    assert hosts_of(changed, "worker") == [ENTRY]
    added = f"    extra_hosts:\n      - '{ENTRY}'\n"
    assert changed.count(added) == 2
    assert changed.replace(added, "") == PLAIN


@pytest.mark.parametrize(
    "hosts",
    [
        f"\n      - '{ENTRY}'",
        f"\n    - {ENTRY}",
        f"\n      - other:1.2.3.4\n      - {NAME}={IP}",
        f"\n      {NAME}: {IP}",
        f" ['{ENTRY}']",
    ],
)
def test_a_container_with_the_entry_is_left_alone(hosts: str) -> None:
    compose = f"services:\n  a:\n    image: x\n    extra_hosts:{hosts}\n"
    assert with_extra_host(compose, NAME, IP) is compose


@pytest.mark.parametrize(
    ("hosts", "wanted"),
    [
        ("\n      - other:1.2.3.4", [ENTRY, "other:1.2.3.4"]),
        ("\n    - other:1.2.3.4", [ENTRY, "other:1.2.3.4"]),
        (" [other:1.2.3.4]", [ENTRY, "other:1.2.3.4"]),
        (" []", [ENTRY]),
        (" {}", {NAME: IP}),
        ("\n      other: 1.2.3.4", {NAME: IP, "other": "1.2.3.4"}),
        (" {other: 1.2.3.4}", {NAME: IP, "other": "1.2.3.4"}),
        (f"\n      - {NAME}:10.0.0.1\n      - other:1.2.3.4", [ENTRY, "other:1.2.3.4"]),
        (f"\n      {NAME}: 10.0.0.1", {NAME: IP}),
    ],
)
def test_existing_hosts_are_kept_and_a_wrong_address_is_corrected(
    hosts: str, wanted: object
) -> None:
    compose = f"services:\n  a:\n    extra_hosts:{hosts}\n    image: x\n"
    changed = with_extra_host(compose, NAME, IP)
    assert hosts_of(changed, "a") == wanted
    assert yaml.safe_load(changed)["services"]["a"]["image"] == "x"
    assert with_extra_host(changed, NAME, IP) is changed


def test_flow_style_is_kept() -> None:
    compose = '{"services": {"a": {"image": "x"}}}'
    changed = with_extra_host(compose, NAME, IP)
    assert hosts_of(changed, "a") == [ENTRY]
    assert with_extra_host(changed, NAME, IP) is changed


@pytest.mark.parametrize("mode", ["host", "none", "service:web", "container:abc"])
def test_containers_that_share_a_network_namespace_are_left_alone(mode: str) -> None:
    compose = f"services:\n  a:\n    image: x\n    network_mode: {mode}\n  b:\n    image: y\n"
    changed = with_extra_host(compose, NAME, IP)
    assert hosts_of(changed, "a") is None
    assert hosts_of(changed, "b") == [ENTRY]


def test_a_named_network_mode_is_a_network_of_its_own() -> None:
    compose = "services:\n  a:\n    image: x\n    network_mode: bridge\n"
    assert hosts_of(with_extra_host(compose, NAME, IP), "a") == [ENTRY]


def test_an_ipv6_address_is_one_address() -> None:
    compose = "services:\n  a:\n    image: x\n"
    changed = with_extra_host(compose, NAME, "fd00::20")
    assert hosts_of(changed, "a") == [f"{NAME}:fd00::20"]
    assert with_extra_host(changed, NAME, "fd00::20") is changed


@pytest.mark.parametrize(
    ("compose", "reason"),
    [
        ("services:\n  a: &x\n    image: y\n  b: *x\n", "anchors"),
        ("services:\n  a: {\n", "not valid YAML"),
        ("a: 1\n", "no services"),
        ("- a\n", "not a mapping"),
        ("services:\n  a:\n", "an empty service"),
        ("services:\n  a:\n    image: x\n    extra_hosts: text\n", "neither a list nor"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused(compose: str, reason: str) -> None:
    with pytest.raises(ConflictError, match=reason):
        with_extra_host(compose, NAME, IP)
