"""What the pages for operators name exists: targets, verbs, orchestrations, files, links, tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.verbs import files_in, verbs_of

ROOT = Path(__file__).resolve().parents[3]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "images").glob("*.md")),
]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", page.read_text()):
        if target and "://" not in target and not (page.parent / target).exists():
            yield target
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text()):
        file = page.parent / target if target else page
        if "://" not in target and file.exists() and anchor not in anchors(file):
            yield f"{target}#{anchor}"


@EACH_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


@EACH_PAGE
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(
        re.findall(
            r"\bmake ((?:dev|test|bench)-[a-z-]+[a-z]|tree|setup|images|lock)\b(?!-\*)",
            page.read_text(),
        )
    )
    assert named - targets == set()


@EACH_PAGE
def test_verbs_and_orchestrations_exist(page: Path) -> None:
    modules = {file.__virtualname__ for file in files_in("_modules")}
    verbs = {f"{name}.{verb}" for name in modules for verb in vars(verbs_of(name))}
    verbs |= {f"postgres.{verb}" for verb in vars(verbs_of("postgres", "_runners"))}
    verbs |= {f"postgres.{sls.stem}" for sls in (ROOT / "salt/postgres").glob("*.sls")}
    words = "|".join(sorted(modules | {"postgres"}))
    named = set(
        re.findall(rf"(?<![\w./-])((?:{words})\.[a-z][a-z_]+[a-z])\b(?![./-])", page.read_text())
    )
    assert named - verbs == set()


@EACH_PAGE
def test_named_tests_exist(page: Path) -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page.read_text())
    assert [name for name in named if f"def {name}(" not in tests] == []
