"""A call of the execution module ``coolify``: which cluster, and the client with its token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pgha.coolify.client import CoolifyClient
from pgha.errors import NotFoundError
from pgha.held import held_secrets
from pgha.topology import Topology
from pgha_minion.errors import operator_errors


@contextmanager
def connected(
    pillar: Mapping[str, Any], minion: str, cluster: str | None
) -> Iterator[tuple[CoolifyClient, Topology]]:
    """A client of the cluster's Coolify, and the cluster.

    Args:
        minion: the id of this minion, for the sentence when it holds no token.
        cluster: None for the only one.

    Raises:
        CommandExecutionError: for every error of the library, also of the block.
    """
    with operator_errors():
        topology = Topology.from_pillar(pillar, cluster)
        settings = topology.coolify
        token = _token(pillar, topology, minion)
        with CoolifyClient(settings.url, token, verify=settings.verify_tls) as client:
            yield client, topology


def _token(pillar: Mapping[str, Any], topology: Topology, minion: str) -> str:
    token = held_secrets(pillar, topology).get("coolify_token")
    if not token:
        raise NotFoundError(
            f"The pillar of {minion} holds no Coolify token of cluster {topology.cluster}: write "
            f"it to state/coolify/token on the master, run this on {topology.coolify.controller} "
            "(coolify_controller), and refresh the pillar."
        )
    return str(token)
