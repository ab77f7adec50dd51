"""Coolify's word on a server may be old: it looks once a minute, and a server that was away is
called unreachable until then. The validation that its page offers makes it look now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pgha.coolify.answers import MissingAbilityError
from pgha.coolify.client import CoolifyClient
from pgha.coolify.fitness import match_servers
from pgha.coolify.models import Server
from pgha.coolify.pace import Pace
from pgha.errors import NotFoundError, TimedOutError
from pgha.topology import Node
from pgha.wait import Pending, poll


def validated_servers(client: CoolifyClient, nodes: Sequence[Node], pace: Pace) -> list[Server]:
    """All servers; those of the nodes that Coolify cannot use are looked at again first.

    One request when all are fit; else one more for each that is not and one each 2 s, for 20 s at
    most: an SSH connection to a dead server gives up after 10 s. The validation installs nothing.
    A token that may not ask for it, and a Coolify before 4.2.0, get what is known.
    """
    servers = client.servers()
    wanted = _doubtful(client, nodes, servers)
    if not wanted or not _asked(client, wanted):
        return servers

    def look() -> list[Server] | Pending:
        nonlocal servers
        servers = client.servers()
        return Pending("still unfit") if _doubtful(client, nodes, servers) else servers

    try:
        return poll(
            look,
            deadline_s=pace.validation_s,
            interval_s=pace.interval_s,
            what="Coolify's validation",
            clock=pace.clock,
            sleep=pace.sleep,
        )
    except TimedOutError:
        return servers


def _doubtful(
    client: CoolifyClient, nodes: Sequence[Node], servers: Sequence[Server]
) -> list[Server]:
    """Servers of nodes that are called unreachable or unusable; a validation can change that."""
    found = match_servers(nodes, servers, client.url).of_node.values()
    return [server for server in found if not (server.reachable and server.usable)]


def _asked(client: CoolifyClient, servers: Iterable[Server]) -> bool:
    try:
        for server in servers:
            client.validate_server(server.uuid)
    except (MissingAbilityError, NotFoundError):
        return False
    return True
