"""The functions of a module as Salt has them: several files may share a virtual name."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def files_in(folder: str) -> list[ModuleType]:
    """The files of ``_modules`` or ``_states``, imported."""
    stems = sorted(path.stem for path in (ROOT / folder).glob("*.py"))
    return [importlib.import_module(f"{folder}.{stem}") for stem in stems]


def files_of(virtual: str, folder: str = "_modules") -> list[ModuleType]:
    """The files that make up a module."""
    return [file for file in files_in(folder) if file.__virtualname__ == virtual]


def verbs_of(virtual: str, folder: str = "_modules") -> Any:
    """Its public functions by the names that Salt gives them, as attributes."""
    verbs: dict[str, Any] = {}
    for file in files_of(virtual, folder):
        alias = getattr(file, "__func_alias__", {})
        for name, function in inspect.getmembers(file, inspect.isfunction):
            if function.__module__ == file.__name__ and not name.startswith("_"):
                known = verbs.setdefault(alias.get(name, name), function)
                assert known is function, f"two files define {virtual}.{name}"
    return SimpleNamespace(**verbs)
