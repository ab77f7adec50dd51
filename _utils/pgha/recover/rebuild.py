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
from pgha.errors import FailedError
from pgha.recover.copies import Copy
from pgha.topology import Node, Topology

STOP_TIMEOUT_S = 180
"""Docker kills PostgreSQL after a grace of 120 s; the rest is Salt's."""
LEADER_DEADLINE_S = 240
"""Replay of what WAL is there, and one ttl in which an old leader key may have to expire."""
STREAMING_DEADLINE_S = 600


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


def lead(deployment: Deployment, chosen: Node) -> dict[str, Any]:
    """Start the chosen copy alone and wait until it takes writes.

    Raises:
        FailedError: somebody else leads.
    """
    with deployment.step(f"{chosen.name} leads"):
        changes = deployment.converge_stacks([chosen], "patroni")
        leader = deployment.ask_one(
            chosen.host, "patroni.wait_leader", deadline=LEADER_DEADLINE_S,
            timeout_s=LEADER_DEADLINE_S + 30,
        )  # fmt: skip
        if leader != chosen.name:
            raise FailedError(
                f"{leader} leads instead of {chosen.name}; compare them with "
                "`salt '*' postgres_data.position` before anything else is started"
            )
        return changes


def follow(deployment: Deployment, chosen: Node) -> dict[str, Any]:
    """Start all others and wait until they stream from the chosen one."""
    topology = deployment.topology
    with deployment.step(f"{len(topology.nodes) - 1} replicas stream"):
        changes = deployment.converge_stacks(topology.nodes, "patroni")
        deployment.ask_one(
            chosen.host,
            "patroni.wait_streaming",
            members=[node.name for node in topology.nodes],
            deadline=STREAMING_DEADLINE_S,
            timeout_s=STREAMING_DEADLINE_S + 30,
        )
        return changes


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
