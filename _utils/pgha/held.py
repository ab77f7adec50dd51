"""What a minion holds of a cluster's secrets: the part of its pillar that `pgha.roles` filled.

``pgha``                    of the cluster of the flat keys
``pgha: clusters: <name>``  of each cluster that ``postgresql_clusters`` adds

The shape is that of the state directory. A minion has an entry for each cluster in which it has a
role, so one server can be a node of several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pgha.errors import NotFoundError

if TYPE_CHECKING:
    from pgha.topology import Topology

KEY = "pgha"
CLUSTERS = "clusters"


def held_secrets(pillar: Mapping[str, Any], topology: Topology) -> dict[str, Any]:
    """The secrets of one cluster, as `pgha.roles.secrets_for` returned them; empty without any."""
    held = pillar.get(KEY) or {}
    if not topology.is_default:
        return dict((held.get(CLUSTERS) or {}).get(topology.cluster) or {})
    return {key: value for key, value in held.items() if key != CLUSTERS}


def held_password(pillar: Mapping[str, Any], topology: Topology, name: str, minion: str) -> str:
    """One password in plain text.

    Args:
        minion: the id of this minion, for the sentence.

    Raises:
        NotFoundError: saying where secrets come from.
    """
    return _held(pillar, topology, "passwords", name, minion)


def held_verifier(pillar: Mapping[str, Any], topology: Topology, role: str, minion: str) -> str:
    """One SCRAM verifier as PostgreSQL stores it; raises NotFoundError."""
    return _held(pillar, topology, "verifiers", role, minion)


def _held(pillar: Mapping[str, Any], topology: Topology, kind: str, name: str, minion: str) -> str:
    found = (held_secrets(pillar, topology).get(kind) or {}).get(name)
    if found is None:
        raise NotFoundError(
            f"{minion} has no secrets of cluster {topology.cluster} in its pillar; run the deploy "
            "from the Salt master, which generates them, or check ext_pillar there."
        )
    return str(found)


def placed(topology: Topology, secrets: Mapping[str, Any]) -> dict[str, Any]:
    """One cluster's secrets where `held_secrets` looks for them; ``{}`` when there are none."""
    if not secrets:
        return {}
    own = dict(secrets)
    return {KEY: own if topology.is_default else {CLUSTERS: {topology.cluster: own}}}


def joined(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One pillar out of what `placed` returned for each cluster."""
    held: dict[str, Any] = {}
    clusters: dict[str, Any] = {}
    for part in parts:
        own = dict(part.get(KEY) or {})
        clusters |= own.pop(CLUSTERS, {})
        held |= own
    if clusters:
        held[CLUSTERS] = clusters
    return {KEY: held} if held else {}
