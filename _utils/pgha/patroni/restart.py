"""Restart PostgreSQL below one member for the parameters that wait for it, and see it back.

Patroni's answer to ``POST /restart`` comes when PostgreSQL is up again, which can be after any
bound of ours, so the answer says nothing: the member's own word does.
"""

from __future__ import annotations

from typing import Any

from pgha.errors import RefusedError, UnreachableError
from pgha.patroni.client import PatroniClient
from pgha.patroni.gate import wait_ready
from pgha.patroni.waits import ClientFor
from pgha.topology import Node, Topology


def restart_pending(
    topology: Topology, node: Node, client_for: ClientFor, deadline_s: float
) -> dict[str, Any] | None:
    """Restart a member that waits for one and wait until it serves; None when it does not wait.

    Returns:
        See `pgha.patroni.gate.wait_ready`.

    Raises:
        TimedOutError: it did not come back in time; Patroni goes on trying.
        RefusedError: Patroni will not restart it.
    """
    client = client_for(node)
    own = client.member()
    if not own.pending_restart:
        return None
    _ask(client)
    return wait_ready(topology, node, client_for, deadline_s, own.postmaster_start_time)


def _ask(client: PatroniClient) -> None:
    """Silence is a restart that takes its time; so is one that an earlier run has begun."""
    try:
        client.restart()
    except UnreachableError:
        return
    except RefusedError as error:
        if "already in progress" not in str(error) and "still starting" not in str(error):
            raise
