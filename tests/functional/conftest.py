"""A Salt minion's loader over the composed tree, masterless: what a real minion would have."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ("_modules", "_states", "_utils", "_output")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The served roots: ``salt``, ``pillar`` and ``ext``, as on a Salt master."""
    target = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "salt", target / "salt")
    shutil.copytree(ROOT / "pillar", target / "pillar")
    for folder in EXTENSIONS:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, target / "ext" / folder, ignore=ignore)
    return target


def make_opts(tree: Path, root: Path, site: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Options of the minion ``app-server-2.lan`` with files below ``root``."""
    import salt.config

    (root / "site" / "postgresql").mkdir(parents=True)
    (root / "site" / "postgresql" / "site.sls").write_text(yaml.safe_dump(site))
    config = {
        "id": "app-server-2.lan",
        "root_dir": str(root),
        "file_client": "local",
        "file_roots": {"base": [str(tree / "salt"), str(tree / "ext")]},
        "pillar_roots": {"base": [str(root / "site"), str(tree / "pillar")]},
        "extension_modules": str(root / "extmods"),
        "cachedir": str(root / "cache"),
        "pki_dir": str(root / "pki"),
        "log_file": str(root / "minion.log"),
        "enable_fqdns_grains": False,
        "enable_gpu_grains": False,
        **more,
    }
    path = root / "minion"
    path.write_text(yaml.safe_dump(config))
    opts: dict[str, Any] = salt.config.minion_config(str(path))
    return opts


def caller_of(opts: dict[str, Any]) -> Any:
    """``salt-call --local`` after ``saltutil.sync_all``."""
    import salt.client

    salt.client.Caller(mopts=dict(opts)).cmd("saltutil.sync_all")
    return salt.client.Caller(mopts=dict(opts))


@pytest.fixture(scope="session")
def minion_opts(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A minion of the figure's only cluster."""
    site = {"coolify_url": "http://127.0.0.1:1"}
    return make_opts(tree, tmp_path_factory.mktemp("minion"), site)


@pytest.fixture(scope="session")
def caller(minion_opts: dict[str, Any]) -> Any:
    return caller_of(minion_opts)
