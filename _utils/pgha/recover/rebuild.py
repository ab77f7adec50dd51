"""Begin etcd anew and bring PostgreSQL back: the chosen copy first, then the others.

The steps of both recoveries. Each can be run again: the note of the journal says which copy was
chosen, and what is done already is found done.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from pgha.deploy.deployment import Deployment
from pgha.deploy.etcd import rejoin, wait_quorum
from pgha.deploy.fleet import values
from pgha.errors import FailedError, UnreachableError
from pgha.recover.copies import Copy
from pgha.recover.scene import ALIVE
from pgha.render.compose import stack_name
from pgha.topology import Node, Topology
from pgha.wait import Pending, poll

STOP_TIMEOUT_S = 180
"""Docker kills PostgreSQL after a grace of 120 s; the rest is Salt's."""
LEADER_DEADLINE_S = 240
"""Replay of what WAL is there, and one ttl in which an old leader key may have to expire."""
STREAMING_DEADLINE_S = 600
LOOK_S = 5
"""How long a server waits before it is asked whether the chosen copy still runs: well below the ttl
after which another one could take the lead."""


class ChosenStoppedError(FailedError):
    """The copy to go on with does not run any more, so nothing comes of waiting for it."""


def fence(deployment: Deployment, nodes: Sequence[Node]) -> None:
    """Stop Patroni, and PostgreSQL with it, so that no copy changes any more.

    Raises:
        UnreachableError, FailedError: a server that is left did not do it.
    """
    with deployment.step(f"PostgreSQL is stopped on {_names(nodes)}"):
        values(_ask(deployment, nodes, "postgres_data.stop", components="patroni"))
        for node in nodes:
            deployment.forget(node, "patroni")


def begin_etcd(deployment: Deployment) -> dict[str, Any]:
    """A new, empty etcd of the voters that are left; old data is kept beside it."""
    topology = deployment.topology
    voters = [topology.node(name) for name in topology.voters]
    others = [node for node in topology.nodes if node not in voters]
    with deployment.step(f"the old data of etcd is set aside on {_names(topology.nodes)}"):
        kept = values(_ask(deployment, others, "etcd_member.set_aside")) if others else {}
        names = [node.name for node in voters]
        kept |= values(
            _ask(deployment, voters, "etcd_member.found", voters=names, token=_token(topology))
        )
        for node in topology.nodes:
            deployment.forget(node, "etcd")
    with deployment.step(f"a new etcd has quorum ({len(voters)} voters)"):
        changes = deployment.converge_stacks(voters, "etcd")
        wait_quorum(deployment, voters[0], voters=len(voters))
        values(_ask(deployment, voters, "etcd_member.restore"))
        # The voter that a Patroni asks first may be one of those that are gone.
        values(_ask(deployment, topology.nodes, "postgres_data.use_voter", voter=voters[0].name))
    return changes | {
        f"etcd data of {topology.node(host).name}": {"old": "lost quorum", "new": done["set_aside"]}
        for host, done in kept.items()
        if done["set_aside"]
    }


def _token(topology: Topology) -> str:
    now = datetime.now(timezone.utc)
    return f"{topology.cluster}-{now:%Y%m%dT%H%M%SZ}"


def lead(deployment: Deployment, chosen: Node, *, alone: bool) -> dict[str, Any]:
    """Start the chosen copy and wait until it takes writes.

    Args:
        alone: no other one runs, which could lead instead when the chosen one fails.

    Raises:
        ChosenStoppedError: its Patroni has stopped while it was alone.
        FailedError: somebody else leads.
    """
    with deployment.step(f"{chosen.name} leads"):
        changes = deployment.converge_stacks([chosen], "patroni")
        leader = _wait(deployment, chosen, "patroni.wait_leader", LEADER_DEADLINE_S, must_run=alone)
        if leader != chosen.name:
            raise FailedError(
                f"{leader} leads instead of {chosen.name}, which has failed meanwhile; run the "
                "same command again, which goes on with what was written since."
            )
        return changes


def follow(deployment: Deployment, chosen: Node, *, alone: bool) -> dict[str, Any]:
    """Start all others and wait until they stream from the chosen one.

    Args:
        alone: the others may lack what the chosen one holds, so none of them may replace it.

    Raises:
        ChosenStoppedError: it has stopped; with ``alone`` the others were stopped as well.
    """
    others = [node for node in deployment.topology.nodes if node != chosen]
    with deployment.step(f"{len(others)} replicas stream"):
        changes = deployment.converge_stacks(deployment.topology.nodes, "patroni")
        names = [node.name for node in deployment.topology.nodes]
        try:
            _wait(deployment, chosen, "patroni.wait_streaming", STREAMING_DEADLINE_S, members=names)
        except ChosenStoppedError as error:
            if not alone:
                raise
            fence(deployment, others)
            raise ChosenStoppedError(
                f"{error} PostgreSQL was stopped on {_names(others)}, whose copies may be older."
            ) from error
        return changes


def _wait(
    deployment: Deployment,
    chosen: Node,
    function: str,
    deadline_s: float,
    *,
    must_run: bool = True,
    **keywords: Any,
) -> Any:
    """What the function returns; between its short waits the chosen copy is looked at."""

    def check() -> Any:
        try:
            return deployment.ask_one(
                chosen.host, function, deadline=LOOK_S, timeout_s=LOOK_S + 10, **keywords
            )
        except (FailedError, UnreachableError) as error:
            if must_run:
                _require_running(deployment, chosen)
            return Pending(str(error))

    what = f"{chosen.name} ({function})"
    return poll(check, deadline_s=deadline_s, interval_s=0.5, what=what)


def _require_running(deployment: Deployment, chosen: Node) -> None:
    answer = deployment.fleet.ask(
        [chosen.host], "postgres_node.stacks", cluster=deployment.topology.cluster
    )[chosen.host]
    stack = stack_name(deployment.topology, chosen, "patroni")
    states = (answer.value or {}).get(stack, {})
    if states.get("patroni") in ALIVE:
        return
    seen = "does not answer" if answer.silent else f"is {states.get('patroni', 'gone')}"
    raise ChosenStoppedError(
        f"{chosen.name}, the copy to go on with, has failed: its Patroni {seen}; see "
        f"`pgha-logs patroni` on {chosen.host} and run the same command again. Only if it is gone "
        "for good, run postgres.recover_survivors and name it among the lost."
    )


def learn(deployment: Deployment) -> dict[str, Any]:
    """Let the learners in again."""
    changes: dict[str, Any] = {}
    for name in deployment.topology.learners:
        changes |= rejoin(deployment, deployment.topology.node(name))
    return changes


def verify(deployment: Deployment, before: Copy) -> Copy:
    """The leader now, which must be the same database and hold everything that the copy did.

    Raises:
        FailedError: it does not.
    """
    answer = deployment.ask_one(before.host, "postgres_data.position", timeout_s=330)
    now = Copy.from_answer(deployment.topology, before.host, answer)
    if now.system != before.system or (now.timeline, now.lsn) < (before.timeline, before.lsn):
        raise FailedError(f"{before.node} was {before.line()} and is now {now.line()}")
    return now


def _ask(
    deployment: Deployment, nodes: Sequence[Node], function: str, **keywords: Any
) -> dict[str, Any]:
    return deployment.fleet.ask(
        [node.host for node in nodes],
        function,
        cluster=deployment.topology.cluster,
        timeout_s=STOP_TIMEOUT_S,
        **keywords,
    )


def _names(nodes: Sequence[Node]) -> str:
    return ", ".join(node.name for node in nodes)
