"""What a minion may see of a cluster's secrets: its own role's, and nothing else.

| minion                       | sees                                                            |
|------------------------------|-----------------------------------------------------------------|
| a node of the cluster        | CA certificate, its own certificates and keys, the passwords    |
|                              | that run the cluster, the verifiers of the PostgreSQL roles     |
| the controller               | the Coolify token; for Prometheus the CA certificate and the    |
|                              | password of the exporters; Grafana's administrator's password   |
| any other                    | nothing                                                         |

The application's password goes to no minion, and the one that Prometheus asks the exporters with
only to the controller: the servers need their verifiers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pgha.certificates import components_of
from pgha.errors import NotFoundError
from pgha.held import placed
from pgha.pki import Pki
from pgha.secrets import POSTGRESQL_ROLES, SecretStore

if TYPE_CHECKING:
    from pgha.topology import Topology

NODE_PASSWORDS = ("superuser", "replicator", "rewind", "pgbouncer", "monitor", "restapi")
NODE_VERIFIERS = POSTGRESQL_ROLES
NODE_WEB_HASHES = ("exporter",)
ADDED = ("exporter",)
"""Components that a running cluster may not have certificates for yet: its secrets are older. Until
the next deploy makes them, the node keeps seeing the rest, which status and the pool's guard need.
"""


def secrets_for(minion_id: str, topology: Topology, store: SecretStore) -> dict[str, Any]:
    """The pillar of one minion.

    Returns:
        ``{}``, or where `pgha.held` puts them: for a node that the deploy has made secrets for
        ``ca_crt`` (PEM), ``node`` ({component: {"crt", "key"}}, PEM), ``passwords`` ({name: text}),
        ``verifiers`` ({role: SCRAM text}), ``web_hashes`` ({name: bcrypt text}); for the controller
        ``coolify_token``, left out while the operator has not written it, and ``monitoring``
        (``ca_crt``, the exporters' ``password``, Grafana's ``grafana_password``).

    Raises:
        DamagedStateError: a file of the state directory cannot be used.
    """
    store.check_owner(topology)
    visible: dict[str, Any] = {}
    if topology.has_host(minion_id):
        # The first deploy asks Coolify before it creates secrets: the token must not wait for them.
        with suppress(NotFoundError):
            visible |= _node_secrets(minion_id, topology, store)
    if minion_id == topology.coolify.controller:
        token = store.coolify_token()
        visible |= {"coolify_token": token} if token else {}
        with suppress(NotFoundError):
            visible |= {"monitoring": _monitoring_secrets(store)}
    return placed(topology, visible)


def _monitoring_secrets(store: SecretStore) -> dict[str, str]:
    secrets = {
        "ca_crt": Pki(store.root / "pki").ca_certificate(),
        "password": store.read("exporter"),
    }
    # Secrets that are older than Grafana's part get its password from the next deploy.
    with suppress(NotFoundError):
        secrets["grafana_password"] = store.read("grafana")
    return secrets


def _node_secrets(minion_id: str, topology: Topology, store: SecretStore) -> dict[str, Any]:
    pki = Pki(store.root / "pki")
    node = topology.node(minion_id)
    needed = [part for part in components_of(topology, node) if part not in ADDED]
    secrets: dict[str, Any] = {
        "ca_crt": pki.ca_certificate(),
        "node": pki.node_bundle(node.name, needed),
        "passwords": {name: store.read(name) for name in NODE_PASSWORDS},
        "verifiers": {role: store.scram_verifier(role) for role in NODE_VERIFIERS},
    }
    with suppress(NotFoundError):
        added = pki.node_bundle(node.name, ADDED)
        secrets["web_hashes"] = {name: store.bcrypt_hash(name) for name in NODE_WEB_HASHES}
        secrets["node"] |= added
    return secrets
