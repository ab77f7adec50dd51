"""Each rule of the pre-flight check, and that a fit server breaks none."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.deploy import preflight
from tests.support.clusters import topology

HOST = "app-server-2.lan"


def fit(**changes: Any) -> dict[str, Any]:
    return {
        "docker": "26.1.5",
        "problems": [],
        "stacks": {},
        "images": {"pgha/etcd:3.5.16-1": "present"},
        "listeners": [],
        "networks": {"coolify": ["10.0.0.0/24"]},
        "free_bytes": 50 * 1024**3,
        "data": {"etcd": True, "postgresql": True},
        **changes,
    }


def problems(**changes: Any) -> list[str]:
    cluster = topology()
    facts = {node.host: fit() for node in cluster.nodes}
    facts[HOST] = fit(**changes)
    return preflight.problems(cluster, facts, {})


def test_fit_servers_have_no_problem() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"free_bytes": 1024**3}, ["1024 MiB", "2048 MiB"]),
        ({"docker": "19.03.1"}, ["Docker 19.03.1", "20.10"]),
        ({"networks": {}}, ["no network called coolify", "validate"]),
        ({"networks": {"coolify": ["172.18.0.0/16"]}}, ["172.18.0.0/16", "application_networks"]),
        ({"images": {"pgha/etcd:3.5.16-1": "missing"}}, ["pgha/etcd:3.5.16-1", "images/save.sh"]),
        (
            {"listeners": [{"port": 5432, "address": "0.0.0.0", "process": "postgres (pid 7)"}]},
            ["port 5432", "postgres (pid 7)"],
        ),
        ({"problems": ["the Docker daemon does not answer"]}, ["does not answer"]),
    ],
)
def test_broken_rule_is_one_sentence_with_the_server(
    changes: dict[str, Any], words: list[str]
) -> None:
    (problem,) = problems(**changes)
    assert problem.startswith(f"{HOST}: ")
    assert all(word in problem for word in words)


def test_image_of_a_registry_may_be_missing_because_it_can_be_pulled() -> None:
    assert problems(images={"registry.example/pgha/etcd:1": "missing"}) == []


def test_running_server_needs_little_room() -> None:
    running = {"c-n-etcd": {"etcd": "running"}, "c-n-patroni": {"patroni": "running"}}
    assert problems(free_bytes=1024**3, stacks=running) == []
    assert len(problems(free_bytes=10 * 1024**2, stacks=running)) == 1


def test_every_problem_is_reported_at_once() -> None:
    assert len(problems(free_bytes=0, docker="19.03", networks={})) == 3


@pytest.mark.parametrize(
    ("clock", "complaint"),
    [(100.2, None), (99.4, None), (101.4, None), (103.0, "ahead of"), (97.0, "behind")],
)
def test_clock_is_a_problem_only_when_no_latency_explains_it(
    clock: float, complaint: str | None
) -> None:
    offsets = {HOST: preflight.clock_offset(100.0, 100.5, clock)}
    cluster = topology()
    facts = {node.host: fit() for node in cluster.nodes}
    found = preflight.problems(cluster, facts, offsets)
    assert [complaint in text for text in found] == ([True] if complaint else [])
