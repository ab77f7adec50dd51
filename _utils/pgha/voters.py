"""Who votes in etcd, who only follows, and who runs no etcd at all.

An even number of voters survives no more losses than the odd number below it, and every voter makes
each write slower, so etcd's FAQ advises an odd number and at most seven
(https://etcd.io/docs/v3.5/faq/, "What is the maximum cluster size?"). One more node is a learner:
it holds the data, counts for nothing in the quorum, and can take a dead voter's place. etcd 3.5
takes one learner (``--experimental-max-learners``, default 1), so every further node runs no etcd
and is only a client of the voters (docs/adr/0003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pgha.errors import ConfigurationError

MAXIMUM_VOTERS = 7
MAXIMUM_LEARNERS = 1


@dataclass(frozen=True)
class VoterPlan:
    """Every node by name in one of three parts, each in declared order (listed voters as listed).

    ``tolerance`` is how many voters may be lost while the rest still has a quorum. ``clients`` run
    no etcd.
    """

    voters: tuple[str, ...]
    learners: tuple[str, ...]
    tolerance: int
    clients: tuple[str, ...] = ()


def quorum_of(voters: int) -> int:
    """The number of voters that must agree: more than half."""
    return voters // 2 + 1


def tolerance_of(voters: int) -> int:
    """How many of so many voters may be lost (0 for none)."""
    return max(voters - quorum_of(voters), 0)


def plan_voters(node_names: Sequence[str], wanted: object = "auto") -> VoterPlan:
    """Divide the nodes into voters, at most one learner (the first that is left), and clients.

    Args:
        node_names: all nodes in declared order.
        wanted: ``"auto"`` (the largest odd number of nodes, at most seven, first declared first) or
            a list of node names.

    Raises:
        ConfigurationError: with every problem of the list.
    """
    problems = voter_problems(node_names, wanted)
    if problems:
        raise ConfigurationError(problems)
    voters = _automatic(node_names) if wanted == "auto" else _listed(wanted)
    others = tuple(name for name in node_names if name not in voters)
    learners, clients = others[:MAXIMUM_LEARNERS], others[MAXIMUM_LEARNERS:]
    return VoterPlan(voters, learners, tolerance_of(len(voters)), clients)


def voter_problems(node_names: Sequence[str], wanted: object) -> list[str]:
    """Everything that is wrong with ``etcd_voters``, as sentences; empty when it can be used."""
    if wanted == "auto":
        return [] if node_names else ["etcd_voters is 'auto' but no nodes are declared."]
    if not isinstance(wanted, (list, tuple)) or not all(isinstance(v, str) for v in wanted):
        return [f"etcd_voters is {wanted!r}: it must be auto or a list of node names."]
    return [*_unknown(node_names, wanted), *_repeated(wanted), *_uncountable(wanted)]


def _automatic(node_names: Sequence[str]) -> tuple[str, ...]:
    count = min(len(node_names), MAXIMUM_VOTERS)
    return tuple(node_names[: count if count % 2 else count - 1])


def _listed(wanted: object) -> tuple[str, ...]:
    assert isinstance(wanted, (list, tuple))
    return tuple(wanted)


def _unknown(node_names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    known = ", ".join(node_names)
    return [
        f"etcd_voters names '{name}', which is not a declared node; the nodes are {known}."
        for name in dict.fromkeys(wanted)
        if name not in node_names
    ]


def _repeated(wanted: Sequence[str]) -> list[str]:
    repeated = [name for name in dict.fromkeys(wanted) if wanted.count(name) > 1]
    return [
        f"etcd_voters names '{name}' more than once; name each voter once." for name in repeated
    ]


def _uncountable(wanted: Sequence[str]) -> list[str]:
    count = len(set(wanted))
    if count == 0:
        return ["etcd_voters is an empty list: name an odd number of nodes, or use auto."]
    if count % 2 == 0:
        return [
            f"etcd_voters lists {count} voters: the number must be odd, because {count} voters "
            f"survive no more losses than {count - 1} do; add or remove one, or use auto."
        ]
    if count > MAXIMUM_VOTERS:
        return [
            f"etcd_voters lists {count} voters: at most {MAXIMUM_VOTERS} are allowed (etcd FAQ); "
            "the other nodes follow as learner or client."
        ]
    return []
