"""Which Coolify server is which node, and whether Coolify can use it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pgha.coolify.models import Server
from pgha.topology import Node


@dataclass(frozen=True)
class Servers:
    """Coolify's server for each node (by node name) and what is wrong with the others."""

    of_node: dict[str, Server]
    problems: tuple[str, ...]


def match_servers(nodes: Iterable[Node], servers: Sequence[Server], url: str) -> Servers:
    """Match by address; where none has the node's address, by host name or node name.

    The name helps where Coolify knows a server by a DNS name, and for the server Coolify itself
    runs on (`host.docker.internal`).
    """
    of_node: dict[str, Server] = {}
    problems: list[str] = []
    for node in nodes:
        found = _candidates(node, servers)
        if len(found) == 1:
            of_node[node.name] = found[0]
        problem = _problem(node, found, servers, url)
        if problem is not None:
            problems.append(problem)
    return Servers(of_node, tuple(problems))


def _candidates(node: Node, servers: Sequence[Server]) -> list[Server]:
    by_address = [server for server in servers if server.ip == node.ip]
    if by_address:
        return by_address
    names = {node.host, node.name}
    return [server for server in servers if server.ip in names or server.name in names]


def _problem(
    node: Node, found: Sequence[Server], servers: Sequence[Server], url: str
) -> str | None:
    where = f"node {node.name} ({node.host}, {node.ip})"
    if not found:
        known = ", ".join(f"{server.name} ({server.ip})" for server in servers[:8]) or "none"
        return (
            f"Coolify at {url} has no server for {where}; it knows {known}: add the server there "
            f"with this address, or name it {node.host}, and validate it."
        )
    if len(found) > 1:
        names = " and ".join(f"{server.name} ({server.uuid})" for server in found)
        return f"Coolify at {url} has {len(found)} servers for {where}: {names}; keep one."
    return _unfit(where, found[0], url)


def _unfit(where: str, server: Server, url: str) -> str | None:
    page = f"server {server.name} of {where} in Coolify at {url}"
    if server.build_server:
        return f"The {page} is a build server and cannot host stacks: switch that off there."
    if server.disabled:
        return f"The {page} is disabled: enable it there."
    if not server.reachable:
        return (
            f"The {page} is not reachable by SSH: check its address, port and key there, then "
            "press Validate."
        )
    if not server.usable:
        return (
            f"The {page} is not usable: press Validate there and install what it asks for "
            "(usually Docker)."
        )
    return None
