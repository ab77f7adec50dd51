"""What a deploy is going to do to what runs, told before it does anything; reads what the check
found and asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgha.deploy.deployment import Deployment
from pgha.render.compose import STACK_COMPONENTS, stack_name
from pgha.roll import impact
from pgha.roll.impact import Impact


def plan(deployment: Deployment) -> list[Impact]:
    """The impact of every change that is known before any file is compared.

    Stacks that do not run are left out: starting them disturbs nobody.
    """
    found = impact.of_settings(settings_changes(deployment))
    named = {each.what for each in found}
    leader = known_leader(deployment)
    pending = impact.of_pending(waiting(deployment), leader)
    found += [each for each in pending if each.what not in named]
    for component in STACK_COMPONENTS:
        nodes = outdated(deployment, component)
        if nodes:
            found.append(impact.of_stack(component, nodes, leader))
    if stale := stale_nodes(deployment):
        found.append(impact.of_etcd_files(stale))
    return found


def settings_changes(deployment: Deployment) -> Mapping[str, Mapping[str, Any]]:
    """What differs in the dynamic configuration; one member's word is everybody's."""
    answers = [each for each in deployment.outlook.values() if each.get("error") is None]
    return answers[0]["changes"] if answers else {}


def waiting(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """``{node name: {parameter: change}}`` of the members that wait for a restart already."""
    return {
        node.name: pending
        for node in deployment.topology.nodes
        if (pending := deployment.outlook.get(node.host, {}).get("pending"))
    }


def known_leader(deployment: Deployment) -> str | None:
    """The leader's name as the members saw it at the check."""
    leaders = (each.get("leader") for each in deployment.outlook.values())
    return deployment.leader or next(filter(None, leaders), None)


def outdated(deployment: Deployment, component: str) -> list[str]:
    """Nodes whose stack runs from another text than the declared one, or without a container."""
    stacks = deployment.survey.get("stacks", {})
    return [
        node.name
        for node in deployment.topology.nodes_with(component)
        if deployment.is_live(node, component)
        and (seen := stacks.get(stack_name(deployment.topology, node, component)))
        and (not seen["current"] or seen["recreate_pending"] or deployment.limps(node, component))
    ]


def stale_nodes(deployment: Deployment) -> list[str]:
    """Nodes whose etcd already ran with old files when the servers were looked at."""
    return [
        node.name
        for node in deployment.topology.nodes
        if "etcd" in deployment.facts[node.host].get("stale", [])
    ]
