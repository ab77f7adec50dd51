"""Which Docker network of a server a new stack is attached to.

Coolify wants a `destination_uuid` only where a server has several destinations, and answers 400
where it has none (contract 2.5, check 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pgha.coolify.models import Destination, Server

# The network that Coolify's own installer creates; applications and the router meet there.
_USUAL_NETWORK = "coolify"


@dataclass(frozen=True)
class Choice:
    """`uuid` is None when Coolify needs no hint; `problem` when no choice is possible."""

    uuid: str | None = None
    problem: str | None = None


def choose_destination(server: Server, destinations: Sequence[Destination]) -> Choice:
    if not destinations:
        return Choice(
            problem=f"Server {server.name} has no destination in Coolify: add one for the network "
            f"{_USUAL_NETWORK} under Servers > {server.name} > Destinations."
        )
    if len(destinations) == 1:
        return Choice()
    usual = [place for place in destinations if place.network == _USUAL_NETWORK]
    if len(usual) == 1:
        return Choice(uuid=usual[0].uuid)
    names = ", ".join(f"{place.name} ({place.network})" for place in destinations)
    return Choice(
        problem=f"Server {server.name} has {len(destinations)} destinations in Coolify ({names}), "
        f"but not one for the network {_USUAL_NETWORK}: add it under Servers > {server.name} > "
        "Destinations."
    )
