"""Several clusters on the same servers: each minion sees the secrets of its own, and no others."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from _pillar.pgha_secrets import ext_pillar
from pgha.errors import NotFoundError
from pgha.held import held_password, held_secrets, held_verifier
from pgha.model.clusters import clusters_of
from pgha.pki import ensure_pki
from pgha.render.files import files_for
from pgha.secrets import SecretStore
from pgha.topology import Topology
from tests.support.clusters import two_clusters

PILLAR = two_clusters(coolify_controller="bills.lan")
MAIN, BILLING = (Topology.from_pillar(PILLAR, name) for name in ("coolify_postgres", "billing"))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory after both clusters were deployed."""
    state = tmp_path_factory.mktemp("state")
    for topology in (MAIN, BILLING):
        store = SecretStore.of(state, topology)
        store.ensure_all(topology)
        ensure_pki(store, topology)
    for root, token in ((state, "1|shared"), (state / "clusters/billing", "2|of-billing")):
        (root / "coolify").mkdir()
        (root / "coolify/token").write_text(f"{token}\n")
    return state


def pillar_of(minion: str, state: Path, **changes: Any) -> dict[str, Any]:
    declared = {**copy.deepcopy(PILLAR), **changes}
    return {**declared, **ext_pillar(minion, declared, state)}


def everything_secret(state: Path, topology: Topology) -> set[str]:
    """Lines of the files that hold a password or a key of the cluster."""
    root = SecretStore.of(state, topology).root
    files = [*(root / "postgresql").iterdir(), *(root / "pki").rglob("*.key")]
    return {file.read_text().splitlines()[-2 if file.suffix == ".key" else 0] for file in files
            if file.name != "salt.key"}  # fmt: skip


def test_a_node_of_both_sees_each_cluster_where_it_belongs(state: Path) -> None:
    pillar = pillar_of("app-server-2.lan", state)
    for topology, node in ((MAIN, "postgres-node-2"), (BILLING, "billing-2")):
        store = SecretStore.of(state, topology)
        held = held_secrets(pillar, topology)
        assert held["passwords"]["monitor"] == store.read("monitor")
        key = (store.root / f"pki/nodes/{node}/postgresql.key").read_text()
        assert held["node"]["postgresql"]["key"] == key
        assert "coolify_token" not in held


def test_nobody_sees_anything_of_a_cluster_he_is_not_part_of(state: Path) -> None:
    builder = json.dumps(ext_pillar("builder.lan", PILLAR, state))
    bills = json.dumps(ext_pillar("bills.lan", PILLAR, state))
    of_main, of_billing = (everything_secret(state, topology) for topology in (MAIN, BILLING))
    assert any(secret in builder for secret in of_main)
    assert any(secret in bills for secret in of_billing)
    assert not [secret for secret in of_billing if secret in builder]
    assert not [secret for secret in of_main if secret in bills]
    assert ext_pillar("stranger.lan", PILLAR, state) == {}


def test_each_controller_holds_its_own_clusters_token(state: Path) -> None:
    tokens = {
        minion: [
            held_secrets(pillar_of(minion, state), topology).get("coolify_token")
            for topology in (MAIN, BILLING)
        ]
        for minion in ("controller.lan", "bills.lan", "builder.lan")
    }
    assert tokens == {
        "controller.lan": ["1|shared", None],
        "bills.lan": [None, "2|of-billing"],
        "builder.lan": [None, None],
    }


def test_one_clusters_mistake_leaves_the_others_their_secrets(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = two_clusters(coolify_controller="bills.lan", postgresql_version=3)
    seen = ext_pillar("app-server-2.lan", wrong, state)["pgha"]
    assert seen["passwords"]
    assert "clusters" not in seen
    assert "No secrets of cluster billing for app-server-2.lan" in caplog.text


def test_files_are_made_of_the_right_secrets(state: Path) -> None:
    pillar = pillar_of("app-server-1.lan", state)
    texts = {
        topology.cluster: "".join(
            file.content
            for file in files_for(
                topology, topology.nodes[0], {"pgha": held_secrets(pillar, topology)}
            )
        )
        for topology in (MAIN, BILLING)
    }
    for topology in (MAIN, BILLING):
        password = SecretStore.of(state, topology).read("superuser")
        assert [name for name, text in texts.items() if password in text] == [topology.cluster]


def test_what_is_not_held_is_said_with_the_cluster(state: Path) -> None:
    pillar = pillar_of("builder.lan", state)
    assert held_verifier(pillar, MAIN, "app", "builder.lan").startswith("SCRAM-SHA-256$")
    for ask in (held_password, held_verifier):
        with pytest.raises(NotFoundError, match=r"builder\.lan has no secrets of cluster billing"):
            ask(pillar, BILLING, "monitor", "builder.lan")


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("app-server-1.lan", ["coolify_postgres", "billing"]),
        ("bills.lan", ["billing"]),
        ("builder.lan", ["coolify_postgres"]),
        ("stranger.lan", []),
    ],
)
def test_a_server_knows_its_clusters(host: str, names: list[str]) -> None:
    assert clusters_of(PILLAR, host) == names


def test_a_broken_declaration_still_counts_as_the_servers_own() -> None:
    assert clusters_of(two_clusters(postgresql_version="x"), "bills.lan") == ["billing"]
