"""Comparing desired stacks with services, without any request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pgha.coolify.models import Server, Service
from pgha.coolify.stacks import (
    COMPONENTS,
    Action,
    DesiredStack,
    Mark,
    digest_of,
    plan_stacks,
    stack_name,
    wanted_names,
)
from pgha.render import compose
from pgha.topology import Topology

HERE = Server.from_json(
    {"uuid": "here", "name": "a.lan", "ip": "192.0.2.1", "settings": {"server_id": 1}}
)
THERE = Server.from_json({"uuid": "there", "name": "b.lan", "settings": {"server_id": 2}})
COMPOSE = '{"services": {"etcd": {"image": "x"}}}'
STACK = DesiredStack("c", "c-pg-1-etcd", HERE, COMPOSE)
CURRENT = Service.from_json(
    {
        "uuid": "u1",
        "name": "c-pg-1-etcd",
        "description": str(STACK.mark()),
        "config_hash": "h",
        "server": {"uuid": "here"},
        "applications": [{"name": "etcd"}],
        "databases": [],
    }
)


def plan(*rows: Service) -> Any:
    return plan_stacks([STACK], rows, [HERE, THERE])


@pytest.mark.parametrize("pending", [False, True])
def test_a_mark_survives_writing_and_reading(pending: bool) -> None:
    mark = Mark("coolify_postgres", digest_of(COMPOSE), pending)
    assert Mark.of(str(mark)) == mark
    assert Mark.of(f" {mark}\n") == mark


def test_a_mark_has_only_characters_that_coolifys_form_accepts() -> None:
    import re

    # app/Support/ValidationPatterns.php, DESCRIPTION_PATTERN, ASCII part.
    pattern = r"[A-Za-z0-9\s\-_.,!?()'\"+=*@/&]+"
    assert re.fullmatch(pattern, str(Mark("coolify_postgres", digest_of(COMPOSE), True)))


@pytest.mark.parametrize(
    "text", ["", "my database", "pgha c sha256=short", "x pgha c sha256=" + "0" * 16]
)
def test_other_descriptions_are_not_marks(text: str) -> None:
    assert Mark.of(text) is None


def test_a_missing_stack_is_created() -> None:
    assert plan().stacks[0].action is Action.CREATE
    assert plan().stacks[0].change == {"old": None, "new": f"sha256={STACK.digest}"}


def test_a_current_stack_needs_nothing() -> None:
    assert plan(CURRENT).stacks[0].action is Action.NOTHING


def test_other_services_do_not_matter() -> None:
    foreign = replace(CURRENT, name="shop", uuid="u2")
    assert plan(CURRENT, foreign, foreign).problems == ()


def test_a_changed_text_is_stored() -> None:
    row = replace(CURRENT, description=f"pgha c sha256={'0' * 16}")
    assert plan(row).stacks[0].action is Action.UPDATE
    assert plan(row).stacks[0].change["old"] == f"sha256={'0' * 16}"


def test_a_row_without_mark_on_the_right_server_is_adopted() -> None:
    row = replace(CURRENT, description="by hand")
    assert plan(row).stacks[0].action is Action.UPDATE
    assert plan(row).stacks[0].change["old"] == "not ours yet"


def test_a_row_that_coolify_did_not_parse_is_stored_again() -> None:
    row = replace(CURRENT, parts=())
    assert plan(row).stacks[0].action is Action.UPDATE
    assert "incomplete" in plan(row).stacks[0].change["old"]


def test_a_row_with_unknown_parts_is_left_alone() -> None:
    assert plan(replace(CURRENT, parts=None)).stacks[0].action is Action.NOTHING


def test_a_never_started_row_on_the_wrong_server_is_replaced() -> None:
    row = replace(CURRENT, server_uuid="there", ever_started=False)
    assert plan(row).stacks[0].action is Action.REPLACE
    assert "wrong server" in plan(row).stacks[0].change["old"]


def test_a_started_stack_on_the_wrong_server_is_a_question_for_a_human() -> None:
    found = plan(replace(CURRENT, server_uuid="there"))
    assert found.stacks == ()
    assert "u1" in found.problems[0]
    assert "b.lan" in found.problems[0]
    assert "a.lan (192.0.2.1)" in found.problems[0]


def test_two_services_of_one_name_are_a_question_for_a_human() -> None:
    found = plan(CURRENT, replace(CURRENT, uuid="u2"))
    assert found.stacks == ()
    assert "u1 and u2" in found.problems[0]
    assert "without deleting volumes" in found.problems[0]


def test_another_clusters_stack_of_the_same_name_is_not_taken_over() -> None:
    row = replace(CURRENT, description=f"pgha other sha256={'0' * 16}")
    assert "belongs to cluster other" in plan(row).problems[0]


def test_stacks_are_planned_component_by_component_voters_first() -> None:
    topology = Topology.from_pillar({})
    names = wanted_names(topology, ("patroni", "etcd"), topology.nodes)
    assert [component for _, component in names] == ["etcd"] * 4 + ["patroni"] * 4
    assert [node.name for node, _ in names[:3]] == list(topology.voters)
    assert stack_name("c", "n", "etcd") == "c-n-etcd"


def test_names_parts_and_components_are_the_renderers() -> None:
    topology = Topology.from_pillar({})
    assert COMPONENTS == compose.STACK_COMPONENTS
    for node, component in wanted_names(topology, COMPONENTS, topology.nodes):
        name = compose.stack_name(topology, node, component)
        assert stack_name(topology.cluster, node.name, component) == name
        text = compose.stack_compose(topology, node, component)
        assert DesiredStack("c", name, HERE, text).parts == set(compose.stack_containers(component))


def test_a_compose_text_is_not_in_a_repr() -> None:
    assert "image" not in repr(STACK)
