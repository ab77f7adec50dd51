"""/etc/hosts: one line of ours, everything else as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pgha.render import hosts
from tests.unit.render.samples import node, topology

CLUSTER = topology()
NODE = node(CLUSTER, 1)
OURS = "172.28.0.20 db.postgres.host.uk.com # pgha coolify_postgres"

foreign_lines = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=40).filter(
        lambda line: "pgha" not in line and len(line.splitlines()) <= 1
    ),
    max_size=6,
)


def test_the_line_goes_to_the_end():
    assert hosts.with_hostname("127.0.0.1 localhost\n", CLUSTER, NODE) == (
        f"127.0.0.1 localhost\n{OURS}\n"
    )


def test_a_missing_newline_is_added_first():
    assert hosts.with_hostname("127.0.0.1 localhost", CLUSTER, NODE) == (
        f"127.0.0.1 localhost\n{OURS}\n"
    )


def test_stale_lines_are_replaced_where_the_first_stood():
    stale = "10.9.9.9 old.name # pgha coolify_postgres\n"
    text = f"127.0.0.1 localhost\n{stale}::1 localhost\n{stale}"
    assert hosts.with_hostname(text, CLUSTER, NODE) == (
        f"127.0.0.1 localhost\n{OURS}\n::1 localhost\n"
    )


def test_another_clusters_line_stays():
    other = "10.1.1.1 other.example # pgha coolify_postgres_two\n"
    assert hosts.with_hostname(other, CLUSTER, NODE) == f"{other}{OURS}\n"


def test_the_entry_is_told_without_its_mark():
    assert hosts.entry_of(f"{OURS}\n", CLUSTER) == "172.28.0.20 db.postgres.host.uk.com"
    assert hosts.entry_of("127.0.0.1 localhost\n", CLUSTER) is None


def test_an_operators_own_line_for_the_hostname_is_reported():
    text = "10.5.5.5 db.postgres.host.uk.com\n# 10.6.6.6 db.postgres.host.uk.com\n" + OURS
    assert hosts.competing_lines(text, CLUSTER) == ["10.5.5.5 db.postgres.host.uk.com"]


@given(foreign_lines)
def test_twice_is_once_and_removal_restores_the_text(lines):
    text = "".join(f"{line}\n" for line in lines)
    once = hosts.with_hostname(text, CLUSTER, NODE)
    assert hosts.with_hostname(once, CLUSTER, NODE) == once
    assert hosts.without_hostname(once, CLUSTER) == text
