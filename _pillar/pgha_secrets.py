"""Hand each minion the secrets of its own role, and nothing else.

Configured on the master::

    ext_pillar:
      - pgha_secrets:
          state_dir: /var/lib/pgha-state

A database node sees its own certificates and the passwords of the roles it runs, of each cluster
that it is a node of; a cluster's controller also sees the Coolify token; any other minion sees
nothing. Secrets are made by the deploy, never here. Before the first deploy has made them, the
controller already sees the Coolify token. An error leaves the pillar without the secrets of that
cluster and is logged on the master.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pgha.errors import PghaError
from pgha.held import joined
from pgha.roles import secrets_for
from pgha.secrets import SecretStore
from pgha.topology import Topology, cluster_names

log = logging.getLogger(__name__)


def ext_pillar(minion_id, pillar, state_dir="/var/lib/pgha-state"):
    """
    Return ``{"pgha": {...}}`` for a minion with a role in a cluster, ``{}`` for any other.

    minion_id
        The minion that asks.
    pillar
        Its pillar so far: the declared clusters.
    state_dir
        Where the master keeps its secrets.
    """
    if "postgresql_nodes" not in pillar:
        return {}
    try:
        names = cluster_names(pillar)
    except PghaError as error:
        log.error("No secrets for %s: %s", minion_id, error)
        return {}
    return joined(_of_cluster(minion_id, pillar, name, Path(state_dir)) for name in names)


def _of_cluster(minion_id, pillar, name, state_dir):
    try:
        topology = Topology.from_pillar(pillar, name)
        return secrets_for(minion_id, topology, SecretStore.of(state_dir, topology))
    except PghaError as error:
        # Raising here would take the whole pillar away, and with it the way to see the error.
        log.error("No secrets of cluster %s for %s: %s", name, minion_id, error)
        return {}
