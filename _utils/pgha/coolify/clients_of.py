"""The services that use the database: tagged `postgresql`, they learn the hostname from Coolify.

Coolify has no call that lists services by tag, so the search is narrowed before any service is
asked for its tags; docs/adr/0002-finding-tagged-services.md has the reasons and the limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pgha.coolify.client import CoolifyClient
from pgha.coolify.extra_hosts import mentions, with_extra_host
from pgha.coolify.models import Service
from pgha.coolify.stacks import Mark
from pgha.errors import ConflictError, NotFoundError
from pgha.topology import Node, Topology

TAG = "postgresql"
_STOPPED = ("exited", "stopped")
_WORD = re.compile(rf"\b{TAG}\b", re.IGNORECASE)


@dataclass
class ClientOutcome:
    """`changes`: `{"name (uuid)": {"old", "new"}}`; `redeploy_needed`: changed but not restarted,
    so its containers do not know the name yet; `skipped`: sentences about services left alone."""

    changes: dict[str, dict[str, str | None]] = field(default_factory=dict)
    redeploy_needed: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def as_dict(self, requests: int) -> dict[str, Any]:
        """All of it, `comments` for an operator, and the number of requests it took."""
        return {**self.__dict__, "comments": self.comments(), "requests": requests}

    def comments(self) -> list[str]:
        if not self.redeploy_needed:
            return list(self.skipped)
        names = ", ".join(self.redeploy_needed)
        return [f"Redeploy in Coolify to give the hostname to: {names}.", *self.skipped]


@dataclass(frozen=True)
class _Candidate:
    service: Service
    node: Node
    compose: str


def tag_clients(
    client: CoolifyClient,
    topology: Topology,
    *,
    named: Sequence[str] = (),
    restart: bool = False,
    test: bool = False,
) -> ClientOutcome:
    """Write `extra_hosts` into the compose text of every client service that lacks the entry.

    Args:
        named: services (names or uuids) that are clients whatever their tags say.
        restart: restart what was changed; otherwise it is reported as needing a redeploy.

    Requests: 1 when no tag `postgresql` exists and none is named; otherwise 2, plus one per
    candidate that lacks the entry, plus one per change (two with `restart`).

    Raises:
        NotFoundError: a named service does not exist on the cluster's servers.
    """
    outcome = ClientOutcome()
    if TAG not in client.tags() and not named:
        return outcome
    ours = _on_our_servers(topology, client.services())
    _require_named(named, ours, topology)
    for service, node in ours:
        if _is_candidate(service, topology, named):
            candidate = _lacking(service, node, topology, outcome)
            if candidate is not None and _is_client(client, candidate, named):
                _write(client, candidate, topology, outcome, restart=restart, test=test)
    return outcome


def _on_our_servers(topology: Topology, services: Iterable[Service]) -> list[tuple[Service, Node]]:
    return [
        (service, node)
        for service in services
        if not _is_ours(service, topology) and (node := _node_of(service, topology)) is not None
    ]


def _is_ours(service: Service, topology: Topology) -> bool:
    marked = Mark.of(service.description) is not None
    return marked or service.name.startswith(f"{topology.cluster}-")


def _node_of(service: Service, topology: Topology) -> Node | None:
    for node in topology.nodes:
        if service.server_ip == node.ip:
            return node
    names = {service.server_ip, service.server_name} - {None}
    return next((node for node in topology.nodes if names & {node.host, node.name}), None)


def _require_named(
    named: Sequence[str], ours: Sequence[tuple[Service, Node]], topology: Topology
) -> None:
    known = {word for service, _ in ours for word in (service.name, service.uuid)}
    missing = [word for word in named if word not in known]
    if missing:
        raise NotFoundError(
            f"postgresql_client_services names {', '.join(missing)}, but no such service is on the "
            f"servers of cluster {topology.cluster}: correct the pillar or the name in Coolify."
        )


def _is_candidate(service: Service, topology: Topology, named: Sequence[str]) -> bool:
    return (
        service.name in named
        or service.uuid in named
        or mentions(service.compose, topology.hostname)
        or _WORD.search(service.description) is not None
    )


def _lacking(
    service: Service, node: Node, topology: Topology, outcome: ClientOutcome
) -> _Candidate | None:
    """The candidate with its new text, None when it has the entry or cannot be edited."""
    try:
        if service.compose is None:
            raise ConflictError("the token lacks the ability read:sensitive")
        changed = with_extra_host(service.compose, topology.hostname, node.ip)
    except ConflictError as reason:
        outcome.skipped.append(
            f"Service {service.name} ({service.uuid}) on {node.host} was left alone because "
            f"{reason}: if it uses the database, add extra_hosts '{topology.hostname}:{node.ip}' "
            "to it by hand."
        )
        return None
    return None if changed == service.compose else _Candidate(service, node, changed)


def _is_client(client: CoolifyClient, candidate: _Candidate, named: Sequence[str]) -> bool:
    service = candidate.service
    if service.name in named or service.uuid in named:
        return True
    return TAG in client.service_tags(service.uuid)


def _write(
    client: CoolifyClient,
    candidate: _Candidate,
    topology: Topology,
    outcome: ClientOutcome,
    *,
    restart: bool,
    test: bool,
) -> None:
    service = candidate.service
    entry = f"{topology.hostname}:{candidate.node.ip}"
    # Names are not unique in Coolify.
    key = f"{service.name} ({service.uuid})"
    outcome.changes[key] = {"old": None, "new": f"extra_hosts {entry}"}
    # A restart would also start what its owner has stopped.
    restart = restart and not service.status.startswith(_STOPPED)
    (outcome.restarted if restart else outcome.redeploy_needed).append(key)
    if test:
        return
    client.update_service(
        service.uuid,
        what=f"give the service {service.name} the hostname {topology.hostname}",
        compose=candidate.compose,
    )
    if restart:
        client.restart_service(service.uuid, service.name)
