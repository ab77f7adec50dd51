"""The two recoveries by name.

``recover_etcd``: etcd has lost its data (or its majority's) and every server is there. A leader
that still writes, which failsafe mode allows while all members answer, goes on writing.

``recover_survivors``: most servers are gone for good. The most advanced copy that is left leads.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pgha.deploy.check import look_at
from pgha.deploy.deployment import Deployment
from pgha.errors import RefusedError
from pgha.operate.operation import Operation, Outcome, require_confirmation
from pgha.recover import journal, rebuild, scene
from pgha.recover.copies import Copy, compared, most_advanced
from pgha.recover.scene import Scene
from pgha.topology import Node
from pgha.voters import quorum_of


def recover_etcd(operation: Operation, confirm: str | None) -> Outcome:
    """Begin etcd anew on its voters below the PostgreSQL that is there.

    Raises:
        RefusedError: etcd has quorum, or would have it after a deploy; or nobody confirmed.
        Whatever a step raises; run again, the recovery goes on where it was.
    """
    return _recover(_deployment(operation, ()), "recover_etcd", (), confirm)


def recover_survivors(operation: Operation, lost: Sequence[str], confirm: str | None) -> Outcome:
    """Go on with the servers that are left, giving up those that are named.

    Args:
        lost: nodes by name or host.

    Raises as `recover_etcd`, and NotFoundError for an unknown node.
    """
    if not lost:
        known = ", ".join(node.name for node in operation.topology.nodes)
        raise RefusedError(
            f"Name the servers that are gone for good: lost (make: LOST=) as a list of {known}; "
            "when every server is there and only etcd is lost, run postgres.recover_etcd."
        )
    given_up = [operation.topology.node(word) for word in lost]
    return _recover(_deployment(operation, given_up), "recover_survivors", given_up, confirm)


def _deployment(operation: Operation, lost: Sequence[Node]) -> Deployment:
    left = scene.without(operation.topology, lost)
    return Deployment(**{**vars(operation), "topology": left})


def _recover(
    deployment: Deployment, name: str, lost: Sequence[Node], confirm: str | None
) -> Outcome:
    started = time.monotonic()
    note = _note(deployment, name, lost)
    look_at(deployment, lost=bool(lost))
    found = scene.look(deployment)
    if not (note and found.healthy_voters):
        _refuse_with_quorum(deployment, found)
    leader = scene.the_leader(found)
    chosen = _taken_up(found, note, leader) if note else _chosen(found, None if lost else leader)
    report = _told(found, chosen, lost, goes_on=_goes_on(deployment, found, lost))
    require_confirmation(deployment, confirm, " ".join([*report, _price(chosen, lost)]))
    if deployment.test:
        return Outcome(_planned(deployment, chosen, leader), report)
    note = journal.Note(name, chosen.node, tuple(node.name for node in lost))
    outcome = _carry_out(deployment, found, chosen, leader, note, lost)
    outcome.report = [*report, *outcome.report, f"It took {time.monotonic() - started:.0f} s."]
    return outcome


def _carry_out(
    deployment: Deployment,
    found: Scene,
    chosen: Copy,
    leader: str | None,
    note: journal.Note,
    lost: Sequence[Node],
) -> Outcome:
    where = (deployment.state_dir, deployment.topology.cluster)
    journal.write(*where, note)
    silent = _fence_lost(deployment, lost)
    alone = not _goes_on(deployment, found, lost)
    if alone:
        rebuild.fence(deployment, deployment.topology.nodes)
    node = deployment.topology.node(chosen.node)
    changes = {} if found.healthy_voters else rebuild.begin_etcd(deployment)
    changes |= rebuild.lead(deployment, node, alone=alone)
    changes |= rebuild.learn(deployment)
    changes |= rebuild.follow(deployment, node, alone=alone)
    now = rebuild.verify(deployment, chosen)
    journal.remove(*where)
    changes["leader"] = {"old": leader, "new": now.node}
    return Outcome(changes, [f"{now.node} leads on timeline {now.timeline}.", *silent])


def _goes_on(deployment: Deployment, found: Scene, lost: Sequence[Node]) -> bool:
    """With members lost the leader has stepped down, or is about to (failsafe mode asks all).

    Where a recovery that was interrupted has given etcd its quorum, Patroni itself sees to it that
    only one leads.
    """
    if lost:
        return False
    return bool(found.healthy_voters and found.leaders) or scene.may_go_on(deployment, found)


def _fence_lost(deployment: Deployment, lost: Sequence[Node]) -> list[str]:
    """Stop what answers of the servers that were given up; a sentence for those that do not."""
    hosts = [node.host for node in lost]
    if not hosts:
        return []
    with deployment.step(f"whatever answers of {', '.join(hosts)} is stopped"):
        answers = deployment.fleet.ask(
            hosts, "postgres_data.stop", ["patroni", "etcd"],
            cluster=deployment.topology.cluster, timeout_s=20,
        )  # fmt: skip
    silent = [host for host, answer in answers.items() if answer.value is None]
    if not silent:
        return [f"Patroni and etcd are stopped on {', '.join(hosts)}."]
    return [
        f"{', '.join(sorted(silent))} did not answer: remove their old etcd data before they reach "
        "the network again (docs/recovery.md); the deploy then lets them in as new members."
    ]


def _note(deployment: Deployment, name: str, lost: Sequence[Node]) -> journal.Note | None:
    note = journal.read(deployment.state_dir, deployment.topology.cluster)
    given_up = {node.name for node in lost}
    if note and (note.operation, set(note.lost)) != (name, given_up):
        if note.chosen in given_up and given_up.issuperset(note.lost):
            # Its copy was lost in the middle; the best one that is left takes its place.
            return note
        raise RefusedError(
            f"Another recovery, onto {note.chosen}, was interrupted; take that one up first: "
            f"{journal.command(note)}"
        )
    return note


def _refuse_with_quorum(deployment: Deployment, found: Scene) -> None:
    voters = deployment.topology.voters
    if found.healthy_voters:
        raise RefusedError(
            f"etcd has quorum ({', '.join(found.healthy_voters)} prove it); nothing is to be "
            "recovered. Run `salt-run state.orchestrate postgres.deploy` for what is down."
        )
    idle = scene.idle_voters(deployment)
    kept = [v for v in voters if deployment.has_data(deployment.topology.node(v), "etcd")]
    if idle and len(kept) >= quorum_of(len(voters)):
        raise RefusedError(
            f"etcd's data is there on {', '.join(kept)} and its containers do not run on "
            f"{', '.join(idle)}; run `salt-run state.orchestrate postgres.deploy`, which starts "
            "them."
        )


def _chosen(found: Scene, name: str | None) -> Copy:
    """The copy of that node; without a name the most advanced one."""
    best = most_advanced(found.copies)
    return next((copy for copy in found.copies if copy.node == name), best)


def _taken_up(found: Scene, note: journal.Note, leader: str | None) -> Copy:
    """The copy that an interrupted recovery chose, unless another was promoted since: clients
    have been told that their rows are there.

    While servers are lost only the chosen one may lead. Else Patroni may have replaced it.
    """
    best = most_advanced(found.copies)
    preferred = (note.chosen, leader) if note.lost else (leader, note.chosen)
    newest = {copy.node: copy for copy in found.copies if copy.timeline == best.timeline}
    return next((newest[name] for name in preferred if name in newest), best)


def _told(found: Scene, chosen: Copy, lost: Sequence[Node], *, goes_on: bool) -> list[str]:
    lines = [f"{copy.line()}." for copy in found.copies]
    others = [compared(chosen, copy) for copy in found.copies if copy.node != chosen.node]
    why = "leads and goes on" if goes_on else f"{_merit(found, chosen)} and is to lead"
    gone = (
        [f"What {', '.join(node.name for node in lost)} had beyond that is lost."] if lost else []
    )
    return [*lines, f"{chosen.node} {why}.", *others, *gone]


def _merit(found: Scene, chosen: Copy) -> str:
    if chosen.node in found.leaders:
        return (
            "leads, but not every other member follows, so all are stopped first; it keeps its data"
        )
    return "is the most advanced"


def _price(chosen: Copy, lost: Sequence[Node]) -> str:
    if lost:
        names = ", ".join(node.name for node in lost)
        return (
            f"The cluster goes on from {chosen.node} and {names} are given up, which must never "
            "be switched on together again with their old disks"
        )
    return f"etcd begins anew, empty, and {chosen.node} leads"


def _planned(deployment: Deployment, chosen: Copy, leader: str | None) -> dict[str, Any]:
    voters = ", ".join(deployment.topology.voters)
    return {
        "etcd": {"old": "no quorum", "new": f"a new cluster of {voters}"},
        "leader": {"old": leader, "new": chosen.node},
    }
