"""Write the generated files: ``python -m grafana.src [--check]``."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana.src import alerting, backup, cluster, etcd, fleet, node
from grafana.src.frame import text_of
from grafana.src.rulefiles import GRAFANA

DASHBOARDS = (fleet, cluster, node, etcd, backup)
FOLDERS = (GRAFANA / "dashboards", GRAFANA / "provisioning" / "alerting")
"""Hold nothing but generated files."""


def generated() -> dict[Path, str]:
    """Every generated file with its content."""
    dashboards, rules = FOLDERS
    return {
        **{dashboards / f"{module.UID}.json": text_of(module.build()) for module in DASHBOARDS},
        rules / "pgha.json": text_of(alerting.provisioning()),
    }


def stale() -> list[Path]:
    """The files that differ from what the generator writes, or should not be there."""
    wanted = generated()
    present = {path for folder in FOLDERS for path in folder.iterdir()}
    differ = [path for path, text in wanted.items() if _content(path) != text]
    return sorted([*differ, *(present - set(wanted))])


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` only name those that are stale."""
    if "--check" in arguments:
        for path in stale():
            print(f"{path} is not what the generator writes; run make dashboards")
        return 1 if stale() else 0
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


def _content(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
