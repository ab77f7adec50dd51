"""The first step of every deploy: look at all servers and at Coolify, then judge, touch nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pgha.deploy import preflight
from pgha.deploy.deployment import Deployment
from pgha.deploy.fleet import Answer, values
from pgha.errors import FailedError
from pgha.recover import journal
from pgha.render.compose import stack_name
from pgha.roll.plan import settings_changes, stale_nodes, waiting

ANSWER_TIMEOUT_S = 15
"""A loaded minion needs a few seconds to fork a job; a dead one is known after this."""


def check(deployment: Deployment) -> None:
    """Fill ``facts``, ``survey`` and ``outlook``, and what an earlier run left to be rolled.

    Raises:
        UnreachableError: minions that do not answer, all of them named.
        FailedError: every other problem at once, one sentence each.
    """
    look_at(deployment, also=lambda: [*_unfinished(deployment), *_etcd_problems(deployment)])


def look_at(
    deployment: Deployment, *, lost: bool = False, also: Callable[[], list[str]] = list
) -> None:
    """As `check`, for other operations than a deploy.

    Args:
        lost: servers are missing on purpose, so only what Coolify has against the nodes that are
            left counts.
        also: further problems, found when ``facts`` are there.
    """
    with deployment.step("every minion answers and has the current modules"):
        _sync_modules(deployment)
        refresh_pillar(deployment)
    with deployment.step("servers and Coolify are fit"):
        problems, coolify = _look(deployment)
        problems += [*also(), *(_coolify_of_those_left(deployment) if lost else coolify)]
        if problems:
            raise FailedError("\n".join(problems))


def _sync_modules(deployment: Deployment) -> None:
    """Every minion has the master's modules, and has loaded the ones that are new to it."""
    synced = values(
        deployment.fleet.ask(
            deployment.minions, "saltutil.sync_all", timeout_s=ANSWER_TIMEOUT_S, refresh=True
        )
    )
    changed = [minion for minion, kinds in synced.items() if any(kinds.values())]
    if changed:
        # sync_all only asks for it; the next job may come before the minion has done so.
        wait = {"async": False}
        values(
            deployment.fleet.ask(
                changed, "saltutil.refresh_modules", timeout_s=ANSWER_TIMEOUT_S, **wait
            )
        )


def refresh_pillar(deployment: Deployment) -> None:
    """Make every minion take the pillar as it is now and wait until each has it."""
    fleet = deployment.fleet
    values(fleet.ask(deployment.minions, "saltutil.refresh_pillar", wait=True, timeout_s=30))


def _look(deployment: Deployment) -> tuple[list[str], list[str]]:
    """Problems of the servers, and those that Coolify names."""
    cluster = deployment.topology.cluster
    ask = deployment.fleet.ask
    with ThreadPoolExecutor(max_workers=4) as pool:
        clocks = pool.submit(ask, deployment.minions, "postgres_node.clock")
        facts = pool.submit(ask, deployment.hosts, "postgres_node.facts", cluster=cluster)
        outlook = pool.submit(ask, deployment.hosts, "postgres_roll.outlook", cluster=cluster)
        survey = pool.submit(
            ask, [deployment.controller], "coolify.survey", cluster=cluster, timeout_s=60
        )
    deployment.facts = values(facts.result())
    deployment.outlook = values(outlook.result())
    _note_what_is_due(deployment)
    offsets = {
        minion: _offset(answer) for minion, answer in clocks.result().items() if answer.value
    }
    problems = preflight.problems(deployment.topology, deployment.facts, offsets)
    problems += preflight.version_problems(deployment.topology, deployment.outlook)
    return problems, _coolify_problems(deployment, survey.result()[deployment.controller])


def _unfinished(deployment: Deployment) -> list[str]:
    problem = journal.problem(deployment.state_dir, deployment.topology.cluster)
    return [problem] if problem else []


def _note_what_is_due(deployment: Deployment) -> None:
    deployment.stale = set(stale_nodes(deployment))
    deployment.restarts = bool(waiting(deployment) or settings_changes(deployment))


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
    if not hosts:
        return False
    answers = deployment.fleet.ask(
        hosts, "etcd_cluster.members", cluster=deployment.topology.cluster
    )
    return any(answer.value for answer in answers.values())


def _coolify_of_those_left(deployment: Deployment) -> list[str]:
    """What Coolify would refuse if it were asked to start these nodes' stacks."""
    controller = deployment.controller
    answer = deployment.fleet.ask(
        [controller],
        "coolify.converge",
        cluster=deployment.topology.cluster,
        nodes=[node.name for node in deployment.topology.nodes],
        test=True,
        timeout_s=60,
    )[controller]
    if answer.error or answer.silent:
        return [f"{controller}: {answer.error or 'Coolify was not asked, the minion went silent'}"]
    return []


def _coolify_problems(deployment: Deployment, answer: Answer) -> list[str]:
    if answer.silent:
        return [
            f"{deployment.controller}: Coolify was not asked, the minion went silent; run again"
        ]
    if answer.error:
        return [f"{deployment.controller}: {answer.error}"]
    deployment.survey = answer.value
    deployment.pending = {
        name for name, stack in answer.value["stacks"].items() if stack.get("recreate_pending")
    }
    deployment.pending |= {
        stack_name(deployment.topology, node, "patroni")
        for node in deployment.topology.nodes
        if deployment.limps(node, "patroni")
    }
    return list(answer.value["problems"])
