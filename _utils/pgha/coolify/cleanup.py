"""Coolify's nightly clean-up: it removes every image that no container uses, ours of stopped stacks
too, and a start would then have to find them elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pgha.coolify.client import CoolifyClient
from pgha.coolify.fitness import match_servers
from pgha.coolify.models import Server
from pgha.errors import NotFoundError
from pgha.topology import Topology


@dataclass
class Cleanup:
    """`changes`: `{"nightly clean-up of <server>": {"old", "new"}}`; `advice`: what is left to do
    by hand, where Coolify is too old."""

    changes: dict[str, dict[str, str]] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)

    def as_dict(self, requests: int) -> dict[str, Any]:
        """All of it, and the number of requests it took."""
        return {**self.__dict__, "requests": requests}


def switch_off_everywhere(
    client: CoolifyClient, topology: Topology, *, test: bool = False
) -> Cleanup:
    """Switch it off on every server of the cluster that has it on: 1 request and 1 each."""
    matched = match_servers(topology.nodes, client.servers(), client.url)
    return switch_off(client, matched.of_node.values(), test=test)


def switch_off(client: CoolifyClient, servers: Iterable[Server], *, test: bool) -> Cleanup:
    """Switch it off where Coolify says that it is on; no request for the others."""
    done = Cleanup()
    for server in {server.uuid: server for server in servers}.values():
        if server.nightly_cleanup:
            _switch_off(client, server, done, test=test)
    return done


def _switch_off(client: CoolifyClient, server: Server, done: Cleanup, *, test: bool) -> None:
    if not test:
        try:
            client.disable_docker_cleanup(server.uuid)
        except NotFoundError:
            done.advice.append(
                f"This Coolify cannot switch the nightly clean-up of {server.name} off by API "
                "(4.3.0 and newer can): switch it off under Servers > Docker Cleanup."
            )
            return
    done.changes[f"nightly clean-up of {server.name}"] = {"old": "on", "new": "off"}
