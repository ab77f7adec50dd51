"""The desired cluster, validated once from the pillar before anything is touched."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgha.errors import ConfigurationError, NotFoundError
from pgha.model.clusters import cluster_names, clusters_clash, is_default_cluster, settings_of
from pgha.model.defaults import DEFAULT_IMAGES, DEFAULTS
from pgha.model.entities import CoolifySettings, Images, Node
from pgha.model.rules import normal_word
from pgha.model.validation import problems_of
from pgha.model.voting import named_voters
from pgha.voters import plan_voters

__all__ = ["DEFAULTS", "CoolifySettings", "Images", "Node", "Topology", "cluster_names"]

COMPONENTS = ("etcd", "patroni", "router", "exporter")


@dataclass(frozen=True)
class Topology:
    """One cluster as declared. Ports are TCP, times seconds, the lag bytes.

    ``voters`` and ``learners`` are node names; every other node runs no etcd and is a client of the
    voters. ``synchronous_mode`` is ``"off"``, ``"on"`` or ``"quorum"``. ``rolling`` is ``"auto"``
    when a deploy restarts what a change needs, ``"manual"`` when it only says so. ``is_default``
    is False for the clusters that ``postgresql_clusters`` adds; their secrets live in their own
    folder.
    """

    cluster: str
    hostname: str
    version: int
    port: int
    replica_port: int
    pool_port: int
    member_port: int
    restapi_port: int
    exporter_port: int
    etcd_client_port: int
    etcd_peer_port: int
    nodes: tuple[Node, ...]
    voters: tuple[str, ...]
    learners: tuple[str, ...]
    ttl: int
    loop_wait: int
    retry_timeout: int
    maximum_lag_on_failover: int
    synchronous_mode: str
    rolling: str
    parameters: dict[str, str | int | float | bool]
    app_database: str
    app_user: str
    application_networks: tuple[str, ...]
    images: Images
    admin_networks: tuple[str, ...]
    backup_retention_days: int
    backup_schedule: str
    coolify: CoolifySettings
    is_default: bool = True

    @classmethod
    def from_pillar(cls, pillar: Mapping[str, Any], cluster: str | None = None) -> Topology:
        """Read and validate one cluster's declaration.

        Args:
            pillar: the whole pillar (or a part with the ``postgresql_*`` keys); absent keys take
                their defaults from `DEFAULTS`.
            cluster: the cluster's name; may be left out when only one is declared.

        Raises:
            ConfigurationError: with every problem, each naming the key, the value and what is
                allowed.
            NotFoundError: no cluster of that name is declared.
        """
        settings = settings_of(pillar, cluster)
        problems = [*problems_of(pillar, settings)]
        if not problems:
            problems = clusters_clash(pillar, settings)
        if problems:
            raise ConfigurationError(problems)
        return _build(settings, is_default_cluster(pillar, settings))

    def node(self, name_or_host: str) -> Node:
        """The node of that name or host.

        Raises:
            NotFoundError: naming the nodes that exist.
        """
        for node in self.nodes:
            if name_or_host in (node.name, node.host):
                return node
        known = ", ".join(f"{node.name} ({node.host})" for node in self.nodes)
        raise NotFoundError(
            f"'{name_or_host}' is not a node of cluster {self.cluster}; its nodes are {known}."
        )

    def has_host(self, minion_id: str) -> bool:
        """True when the minion is one of the cluster's servers."""
        return any(node.host == minion_id for node in self.nodes)

    @property
    def preferred_primary(self) -> Node:
        """The node that becomes the first leader; later failovers change the leader, not this."""
        return next(node for node in self.nodes if node.role == "primary")

    @property
    def etcd_clients(self) -> tuple[str, ...]:
        """Names of the nodes that run no etcd, in declared order."""
        members = {*self.voters, *self.learners}
        return tuple(node.name for node in self.nodes if node.name not in members)

    def runs(self, node: Node, component: str) -> bool:
        """True when the component belongs on the node; raises NotFoundError for an unknown one."""
        _require_component(component)
        return component != "etcd" or node.name in (*self.voters, *self.learners)

    def nodes_with(self, component: str) -> tuple[Node, ...]:
        """The nodes that run a component, etcd voters before its learners.

        Raises:
            NotFoundError: for an unknown component.
        """
        _require_component(component)
        if component == "etcd":
            return tuple(self.node(name) for name in (*self.voters, *self.learners))
        return self.nodes


def _require_component(component: str) -> None:
    if component not in COMPONENTS:
        raise NotFoundError(
            f"'{component}' is not a component; the components are {', '.join(COMPONENTS)}."
        )


def _build(settings: Mapping[str, Any], is_default: bool) -> Topology:
    nodes = _nodes(settings["postgresql_nodes"])
    plan = plan_voters(
        [node.name for node in nodes], named_voters(settings["etcd_voters"], settings)
    )
    return Topology(
        cluster=settings["postgresql_cluster_name"],
        hostname=settings["postgresql_hostname"],
        version=settings["postgresql_version"],
        port=settings["postgresql_port"],
        replica_port=settings["postgresql_replica_port"],
        pool_port=settings["postgresql_pool_port"],
        member_port=settings["postgresql_member_port"],
        restapi_port=settings["patroni_restapi_port"],
        exporter_port=settings["postgresql_exporter_port"],
        etcd_client_port=settings["etcd_client_port"],
        etcd_peer_port=settings["etcd_peer_port"],
        nodes=nodes,
        voters=plan.voters,
        learners=plan.learners,
        ttl=settings["patroni_ttl"],
        loop_wait=settings["patroni_loop_wait"],
        retry_timeout=settings["patroni_retry_timeout"],
        maximum_lag_on_failover=settings["patroni_maximum_lag_on_failover"],
        synchronous_mode=str(normal_word(settings["postgresql_synchronous_mode"])),
        rolling=settings["postgresql_rolling"],
        parameters=dict(settings["postgresql_parameters"]),
        app_database=settings["postgresql_app_database"],
        app_user=settings["postgresql_app_user"],
        application_networks=tuple(settings["postgresql_application_networks"]),
        images=_images(settings),
        admin_networks=tuple(settings["postgresql_admin_networks"]),
        backup_retention_days=settings["postgresql_backup_retention_days"],
        backup_schedule=str(normal_word(settings["postgresql_backup_schedule"])),
        coolify=_coolify(settings),
        is_default=is_default,
    )


def _nodes(declared: list[dict[str, str]]) -> tuple[Node, ...]:
    return tuple(
        Node(node["name"], node["host"], str(ipaddress.ip_address(node["ip"])), node["role"])
        for node in declared
    )


def _images(settings: Mapping[str, Any]) -> Images:
    chosen = {**DEFAULT_IMAGES, **settings["postgresql_images"]}
    version = str(settings["postgresql_version"])
    return Images(**{part: ref.replace("{version}", version) for part, ref in chosen.items()})


def _coolify(settings: Mapping[str, Any]) -> CoolifySettings:
    return CoolifySettings(
        url=settings["coolify_url"].rstrip("/").removesuffix("/api/v1").rstrip("/"),
        project=settings["coolify_project"],
        environment=settings["coolify_environment"],
        controller=settings["coolify_controller"],
        verify_tls=settings["coolify_verify_tls"],
    )
