"""A server of two clusters: what its highstate covers, and that each cluster's secrets are used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pgha.pki import ensure_pki
from pgha.secrets import SecretStore
from pgha.topology import Topology
from tests.functional.conftest import ROOT, make_opts
from tests.support.clusters import two_clusters

PILLAR = two_clusters()
CLUSTERS = ("coolify_postgres", "billing")
SALT_CALL = (
    Path(sys.executable).parent / "salt-call",
    "--local",
    "--out=json",
    "--log-level=error",
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a master that has deployed both clusters."""
    state = tmp_path_factory.mktemp("state")
    for name in CLUSTERS:
        topology = Topology.from_pillar(PILLAR, name)
        store = SecretStore.of(state, topology)
        store.ensure_all(topology)
        ensure_pki(store, topology)
    return state


@pytest.fixture(scope="module")
def member(tree: Path, state: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """``salt-call`` on app-server-2.lan, a node of both, with the pillar that a master gives it.

    A process of its own: two minions in one process take each other's options.
    """
    root = tmp_path_factory.mktemp("member")
    secrets = [{"pgha_secrets": {"state_dir": str(state)}}]
    make_opts(tree, root, PILLAR, ext_pillar=secrets, pillar_dirs=[str(ROOT / "_pillar")])

    def call(*arguments: str) -> Any:
        done = subprocess.run(
            [*SALT_CALL, "--config-dir", root, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT / "_utils")},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout)["local"]

    call("saltutil.sync_all")
    return call


def test_a_highstate_covers_every_cluster_of_the_server(member: Any) -> None:
    shown = member("state.show_highstate")
    text = json.dumps(shown)
    assert len(shown) == 10, text
    assert [text.count(f'"cluster": "{name}"') for name in CLUSTERS] == [5, 5]


def test_an_orchestration_covers_the_cluster_it_works_on(member: Any) -> None:
    shown = member("state.show_sls", "postgres.node", 'pillar={"cluster": "billing"}')
    text = json.dumps(shown)
    assert len(shown) == 5, text
    assert text.count('"cluster": "billing"') == 5


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_files_are_made_of_the_named_clusters_secrets(member: Any, cluster: str) -> None:
    planned = member(
        "state.single", "postgres_node.files_present", "files", f"cluster={cluster}", "test=True"
    )
    (answer,) = planned.values()
    assert answer["result"] is None, answer["comment"]
    own = [path for path in answer["changes"] if path.startswith("/etc/pgha/")]
    assert own
    assert all(path.startswith(f"/etc/pgha/{cluster}/") for path in own)
