"""Rules of DESIGN that a reader cannot see in one file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pgha.topology import DEFAULTS

ROOT = Path(__file__).resolve().parents[3]
PUBLIC_SALT = [*(ROOT / "_modules").glob("*.py"), *(ROOT / "_runners").glob("*.py")]


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def top_level(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        (
            "_utils/pgha",
            {
                "salt",
                "prometheus_client",
                "_modules",
                "_states",
                "pgha_master",
                "pgha_minion",
                "lab",
            },
        ),
        ("_utils/pgha_minion", {"prometheus_client", "_modules", "_states", "pgha_master", "lab"}),
        ("_utils/pgha_master", {"prometheus_client", "_modules", "_states", "lab"}),
        ("_modules", {"_states", "_runners", "pgha_master", "lab", "prometheus_client"}),
        ("_states", {"_modules", "_runners", "lab", "prometheus_client"}),
        ("_runners", {"_modules", "_states", "lab"}),
        ("_pillar", {"_modules", "_states", "lab"}),
        ("lab", {"salt", "_modules", "_states", "_runners"}),
        ("grafana/src", {"salt", "_modules", "_states", "_runners", "lab"}),
    ],
)
def test_imports_run_one_way(folder: str, forbidden: set[str]) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    wrong = {
        str(path): top_level(path) & forbidden for path in files if top_level(path) & forbidden
    }
    assert wrong == {}


@pytest.mark.parametrize("path", PUBLIC_SALT, ids=lambda path: path.name)
def test_every_public_salt_function_has_a_cli_example(path: Path) -> None:
    missing = [
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and "CLI Example" not in (ast.get_docstring(node) or "")
    ]
    assert missing == []


@pytest.mark.parametrize("folder", ["salt", "pillar", "_modules", "_states", "_runners", "_utils"])
def test_only_the_lab_knows_that_it_is_a_lab(folder: str) -> None:
    word = re.compile(r"\b(lab|stand-in|standin)\b", re.IGNORECASE)
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".sls")]
    assert [str(path) for path in files if word.search(path.read_text())] == []


def test_no_function_reads_past_the_cluster_it_is_asked_about() -> None:
    """The flat keys and the secrets beside them are the default cluster's: others have their own.

    `Topology.from_pillar`, `settings_of` and `pgha.held` know where each cluster's are.
    """
    past = re.compile(r'__pillar__(?:\.get\(|\[)\s*"(pgha|postgresql_|patroni_|etcd_|coolify_)')
    files = [path for folder in ("_modules", "_states") for path in (ROOT / folder).glob("*.py")]
    assert [str(path) for path in files if past.search(path.read_text())] == []


def test_documented_defaults_are_the_defaults() -> None:
    written = yaml.safe_load((ROOT / "pillar/postgresql/defaults.sls").read_text())
    assert written == {key: DEFAULTS[key] for key in written}
    assert set(DEFAULTS) - set(written) <= {
        "coolify_url",
        "postgresql_images",
        "postgresql_client_services",
    }


def test_package_init_files_are_empty() -> None:
    """Salt's loader executes them under another name: a class there would exist twice."""
    inits = list((ROOT / "_utils").rglob("__init__.py"))
    assert [str(path) for path in inits if path.read_text().strip()] == []


def test_readme_names_every_variable() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [key for key in DEFAULTS if f"`{key}`" not in readme] == []
