"""Which clusters a pillar declares, and the settings of one of them.

The flat keys declare one cluster. ``postgresql_clusters: {name: {overrides}}`` declares further
ones: each takes the flat keys, then its overrides. An entry with the flat cluster's own name
overrides that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pgha.errors import ConfigurationError, NotFoundError
from pgha.model.defaults import CLUSTERS_KEY, DEFAULTS, PORT_KEYS
from pgha.model.rules import is_number, shown

_NAME = "postgresql_cluster_name"


def cluster_names(pillar: Mapping[str, Any]) -> tuple[str, ...]:
    """The declared clusters, the default one (that of the flat keys) first.

    Raises:
        ConfigurationError: ``postgresql_clusters`` is not a mapping of mappings.
    """
    return tuple(dict.fromkeys([_flat_name(pillar), *_further(pillar)]))


def clusters_of(pillar: Mapping[str, Any], host: str) -> list[str]:
    """The clusters that a server is a node of, valid or not: what is wrong shows where it is used.

    Raises:
        ConfigurationError: ``postgresql_clusters`` is not a mapping of mappings.
    """
    return [
        name
        for name in cluster_names(pillar)
        if host in _of_nodes(settings_of(pillar, name), "host")
    ]


def settings_of(pillar: Mapping[str, Any], cluster: str | None) -> dict[str, Any]:
    """Every key of `DEFAULTS` with the value that holds for the cluster, not yet validated.

    Keys of the overrides that do not exist are kept, for the validation to name them.

    Raises:
        ConfigurationError: no cluster was named and several are declared.
        NotFoundError: no cluster of that name is declared.
    """
    name = _chosen(pillar, cluster)
    flat = {key: pillar.get(key, default) for key, default in DEFAULTS.items()}
    overrides = _further(pillar).get(name, {})
    if name == _flat_name(pillar):
        return {**flat, **overrides}
    return {**flat, "postgresql_cluster_name": name, **overrides}


def is_default_cluster(pillar: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """True for the cluster of the flat keys."""
    return bool(settings["postgresql_cluster_name"] == _flat_name(pillar))


def clusters_clash(pillar: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Ports and host names that two clusters claim on the same server.

    Only of clusters whose own values can be read; what is wrong inside another cluster is reported
    when that one is deployed.
    """
    own = settings["postgresql_cluster_name"]
    others = [settings_of(pillar, name) for name in cluster_names(pillar) if name != own]
    return [problem for other in others for problem in _clash(settings, other)]


def _clash(own: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    yield from _same_stacks(own, other)
    shared = sorted(_of_nodes(own, "ip") & _of_nodes(other, "ip"))
    if not shared:
        return
    name, where = other["postgresql_cluster_name"], ", ".join(shared)
    if own["postgresql_hostname"] == other["postgresql_hostname"]:
        yield (
            f"postgresql_hostname is {own['postgresql_hostname']!r} in this cluster and in cluster "
            f"{name}, which share the servers {where}: each cluster needs its own name there."
        )
    taken = {other[key] for key in PORT_KEYS if is_number(other[key])}
    same = [f"{key} ({own[key]})" for key in PORT_KEYS if own[key] in taken]
    if same:
        yield (
            f"Cluster {name} shares the servers {where} and already uses the ports of "
            f"{', '.join(same)}: choose others for one of the two clusters."
        )


def _same_stacks(own: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Containers are found by labels into which Coolify writes names in lower case with hyphens."""
    for name in sorted(_slugs(own) & _slugs(other)):
        yield (
            f"The stacks of a node would be called {name}-... in this cluster and in cluster "
            f"{other['postgresql_cluster_name']}: give one of the clusters or nodes another name."
        )


def _slugs(settings: Mapping[str, Any]) -> set[str]:
    names = _of_nodes(settings, "name")
    cluster = settings["postgresql_cluster_name"]
    return {f"{cluster}-{name}".lower().replace("_", "-") for name in names}


def _of_nodes(settings: Mapping[str, Any], key: str) -> set[str]:
    nodes = settings["postgresql_nodes"]
    if not isinstance(nodes, list):
        return set()
    return {str(node.get(key)) for node in nodes if isinstance(node, Mapping)}


def _chosen(pillar: Mapping[str, Any], cluster: str | None) -> str:
    names = cluster_names(pillar)
    if cluster is None and len(names) == 1:
        return names[0]
    listed = ", ".join(names)
    if cluster is None:
        raise ConfigurationError(
            [f"Several clusters are declared ({listed}): say which one with cluster=<name>."]
        )
    if cluster not in names:
        raise NotFoundError(f"No cluster is called '{cluster}'; the pillar declares {listed}.")
    return cluster


def _flat_name(pillar: Mapping[str, Any]) -> str:
    name = pillar.get("postgresql_cluster_name", DEFAULTS["postgresql_cluster_name"])
    return name if isinstance(name, str) else repr(name)


def _further(pillar: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    declared = pillar.get(CLUSTERS_KEY) or {}
    if not isinstance(declared, Mapping):
        raise ConfigurationError([_not_a_mapping(CLUSTERS_KEY, declared)])
    problems = [
        _not_a_mapping(f"{CLUSTERS_KEY}:{name}", overrides)
        for name, overrides in declared.items()
        if overrides is not None and not isinstance(overrides, Mapping)
    ]
    problems += [
        f"{CLUSTERS_KEY}:{name} sets postgresql_cluster_name to {shown(overrides[_NAME])}: a "
        "cluster is called by its key; rename the key, or leave the setting out."
        for name, overrides in declared.items()
        # With another's name it would be handed that cluster's secrets.
        if isinstance(overrides, Mapping) and overrides.get(_NAME, name) != name
    ]
    if problems:
        raise ConfigurationError(problems)
    return {str(name): dict(overrides or {}) for name, overrides in declared.items()}


def _not_a_mapping(key: str, value: object) -> str:
    return f"{key} is {shown(value)}: it must be a mapping, {{name: {{key: value}}}}."
