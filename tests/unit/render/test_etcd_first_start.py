"""etcd.yml for one start with an empty directory, and the way back."""

from __future__ import annotations

import yaml

from pgha.render import etcd
from tests.unit.render.samples import node, topology


def text(first_start: dict[str, str] | None = None) -> str:
    return etcd.config_file(topology(), node(topology(), 1), first_start).content


def test_a_cluster_that_is_begun_anew_has_another_token_and_so_another_id() -> None:
    words = etcd.founding(topology(), topology().voters, "c-2")
    config, declared = yaml.safe_load(text(words)), yaml.safe_load(text())
    assert {key for key in config if config[key] != declared[key]} == {"initial-cluster-token"}


def test_founding_alone_names_only_itself() -> None:
    config = yaml.safe_load(text(etcd.founding(topology(), ["postgres-node-1"], "c-2")))
    assert config["initial-cluster"] == "postgres-node-1=https://172.28.0.20:2380"
    assert config["initial-cluster-state"] == "new"


def test_joining_changes_only_the_words_of_the_first_start() -> None:
    words = etcd.joining({"a": "https://1:2380", "postgres-node-1": "https://2:2380"})
    config, declared = yaml.safe_load(text(words)), yaml.safe_load(text())
    assert {key for key in config if config[key] != declared[key]} == set(words)
    assert config["initial-cluster-state"] == "existing"
    assert config["initial-cluster"] == "a=https://1:2380,postgres-node-1=https://2:2380"
