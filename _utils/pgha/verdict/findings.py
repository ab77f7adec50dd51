"""What the parts of the verdict share: findings, and how a node is called in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pgha.topology import Node, Topology

Answers = Mapping[str, "Mapping[str, Any] | None"]
"""Minion id -> what it returned; None or absent when it did not answer."""


@dataclass
class Findings:
    """``problems`` make the cluster unhealthy; ``disagreements`` say who contradicts whom.

    A disagreement between members is a problem as well and then stands in both lists.
    """

    problems: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)

    def problem(self, sentence: str) -> None:
        """Something is not as it must be."""
        self.problems.append(sentence)

    def differ(self, sentence: str) -> None:
        """Two views that contradict each other, harmless by itself."""
        self.disagreements.append(sentence)

    def contradiction(self, sentence: str) -> None:
        """Two members contradict each other."""
        self.problem(sentence)
        self.differ(sentence)

    def add(self, other: Findings) -> None:
        """Take over what another part found."""
        self.problems += other.problems
        self.disagreements += other.disagreements


def called(node: Node) -> str:
    """How sentences name a node: operators know it by its server."""
    return f"{node.name} ({node.host})"


def answer_of(answers: Answers, node: Node) -> Mapping[str, Any] | None:
    """What the node's minion returned, None when it was silent."""
    answer = answers.get(node.host)
    return answer if isinstance(answer, Mapping) else None


def compare_listings(
    system: str,
    topology: Topology,
    listings: Mapping[str, set[str]],
    findings: Findings,
    members: Iterable[str] | None = None,
) -> None:
    """Name members that are declared and not listed, and the other way round.

    Args:
        system: who keeps the list, ``Patroni`` or ``etcd``.
        listings: node name -> the member names that it lists.
        members: the nodes that belong in the list; all of them unless given.
    """
    declared = [node.name for node in topology.nodes]
    strangers = sorted(set().union(*listings.values()).difference(declared))
    for name in declared if members is None else members:
        without = [viewer for viewer, listed in listings.items() if name not in listed]
        if without:
            findings.contradiction(
                f"{system} does not list the member {name} (asked on {', '.join(without)}); it has "
                "not joined, or has been gone for too long."
            )
    for name in strangers:
        viewers = [viewer for viewer, listed in listings.items() if name in listed]
        findings.contradiction(
            f"{system} lists a member {name} that the pillar does not declare (asked on "
            f"{', '.join(viewers)}); declare it in postgresql_nodes, or remove it."
        )
