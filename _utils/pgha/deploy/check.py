"""The first step of every deploy: look at all servers and at Coolify, then judge, touch nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pgha.deploy import preflight
from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import Answer, values
from pgha.errors import FailedError

ANSWER_TIMEOUT_S = 15
"""A loaded minion needs a few seconds to fork a job; a dead one is known after this."""


def check(deployment: Deployment) -> None:
    """Fill ``facts`` and ``survey``.

    Raises:
        UnreachableError: minions that do not answer, all of them named.
        FailedError: every other problem at once, one sentence each.
    """
    with deployment.step("every minion answers and has the current modules"):
        values(
            deployment.fleet.ask(
                deployment.minions, "saltutil.sync_all", timeout_s=ANSWER_TIMEOUT_S, refresh=True
            )
        )
        refresh_pillar(deployment)
    with deployment.step("servers and Coolify are fit"):
        problems = _look(deployment)
        if problems:
            raise FailedError("\n".join(problems))


def refresh_pillar(deployment: Deployment) -> None:
    """Make every minion take the pillar as it is now and wait until each has it."""
    fleet = deployment.fleet
    values(fleet.ask(deployment.minions, "saltutil.refresh_pillar", wait=True, timeout_s=30))


def _look(deployment: Deployment) -> list[str]:
    cluster = deployment.topology.cluster
    ask = deployment.fleet.ask
    with ThreadPoolExecutor(max_workers=3) as pool:
        clocks = pool.submit(ask, deployment.minions, "postgres_node.clock")
        facts = pool.submit(ask, deployment.hosts, "postgres_node.facts", cluster=cluster)
        survey = pool.submit(
            ask, [deployment.controller], "coolify.survey", cluster=cluster, timeout_s=60
        )
    deployment.facts = values(facts.result())
    offsets = {
        minion: _offset(answer) for minion, answer in clocks.result().items() if answer.value
    }
    problems = preflight.problems(deployment.topology, deployment.facts, offsets)
    problems += _etcd_problems(deployment)
    return problems + _coolify_problems(deployment, survey.result()[deployment.controller])


def _offset(answer: Answer) -> tuple[float, float]:
    return preflight.clock_offset(answer.asked_at, answer.answered_at, answer.value)


def _etcd_problems(deployment: Deployment) -> list[str]:
    """etcd's data is gone where it may not be; a quorum that lives all the same is proof enough."""
    topology = deployment.topology
    empty = preflight.etcd_is_lost(topology, deployment.facts)
    if not empty or _has_quorum(deployment, [v for v in topology.voters if v not in empty]):
        return []
    return [
        f"etcd has lost its data on {', '.join(empty)} and PostgreSQL has not; a deploy could let "
        "an old copy take the lead, so run `salt-run state.orchestrate postgres.recover_etcd` "
        "(docs/recovery.md)"
    ]


def _has_quorum(deployment: Deployment, voters: list[str]) -> bool:
    hosts = [deployment.topology.node(voter).host for voter in voters]
    answers = deployment.fleet.ask(
        hosts, "etcd_cluster.members", cluster=deployment.topology.cluster
    )
    return any(answer.value for answer in answers.values())


def _coolify_problems(deployment: Deployment, answer: Answer) -> list[str]:
    if answer.silent:
        return [
            f"{deployment.controller}: Coolify was not asked, the minion went silent; run again"
        ]
    if answer.error:
        return [f"{deployment.controller}: {answer.error}"]
    deployment.survey = answer.value
    return list(answer.value["problems"])
