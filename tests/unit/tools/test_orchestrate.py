"""What the make targets call: the words of an operator become one orchestration with its pillar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "orchestrate"
RECORDS = '#!/bin/sh\n[ "$1" != -c ] || exec {python} "$@"\nprintf "%s\\n" "$@"\n'


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment whose Python tells what it would have run in the lab."""
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text(RECORDS.format(python=sys.executable))
    program.chmod(0o755)
    return tmp_path


def run(venv: Path, *words: str, **environment: str) -> tuple[list[str], dict[str, Any]]:
    """The command that would run on the controller, and the pillar in it."""
    done = subprocess.run(
        [SCRIPT, *words], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "VENV": str(venv), **environment},
    )  # fmt: skip
    command = done.stdout.splitlines()
    (pillar,) = [word.removeprefix("pillar=") for word in command if word.startswith("pillar=")]
    return command, json.loads(pillar)


def test_a_value_reaches_the_pillar_whole_and_an_empty_one_does_not(venv: Path) -> None:
    words = ("target_node=app-server-2.lan", "force=", 'note=a "b" = c')
    command, pillar = run(venv, "switchover", *words)
    assert command[:6] == ["-m", "lab", "exec", "controller", "--", "salt-run"]
    assert "postgres.switchover" in command
    assert pillar == {"target_node": "app-server-2.lan", "note": 'a "b" = c'}
    assert "test=True" not in command


def test_dry_run_asks_for_the_plan(venv: Path) -> None:
    command, _ = run(venv, "restore", "backup_file=b.sql.gz", DRY_RUN="1")
    assert "test=True" in command


def test_nobody_confirms_where_nobody_can_be_asked(venv: Path) -> None:
    _, pillar = run(venv, "failover", "confirm=", "ask=Rows are lost.")
    assert pillar == {}
    _, pillar = run(venv, "failover", "confirm=coolify_postgres", "ask=Rows are lost.")
    assert pillar == {"confirm": "coolify_postgres"}


def test_one_of_several_clusters_is_named(venv: Path) -> None:
    assert run(venv, "backup", CLUSTER="billing")[1] == {"cluster": "billing"}
