"""What one server says before the leader changes: its member, its replicas, its pool."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pgha.errors import PghaError
from pgha.patroni import access
from pgha.patroni.models import LEADER_ROLES
from pgha.patroni.status import node_status
from pgha.pg.probe import replica_lags
from pgha.pg.settings import member_settings
from pgha.pool.console import pool_paused
from pgha.render.accounts import MONITOR
from pgha.topology import Node, Topology


def node_standing(topology: Topology, node: Node, passwords: Mapping[str, str]) -> dict[str, Any]:
    """`pgha.patroni.status.node_status` and two keys more; never raises for what is broken.

    ``replicas`` is ``{member: lag in bytes}`` as the leader measures it, empty elsewhere;
    ``pool_paused`` True, False, or None when the pool does not answer.
    """
    status = node_status(topology, node, access.client_for(topology, node))
    password = passwords["monitor"]
    replicas: dict[str, int | None] = {}
    if status["role"] in LEADER_ROLES:
        with suppress(PghaError):
            replicas = replica_lags(member_settings(topology, node, MONITOR, password))
    return {**status, "replicas": replicas, "pool_paused": pool_paused(topology, node, password)}
