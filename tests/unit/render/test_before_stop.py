"""The hook that makes an announced stop short, run as Patroni runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pgha.errors import FailedError
from pgha.node.announcement import announce
from pgha.render import patroni
from pgha.render.before_stop import ANNOUNCEMENT, SCRIPT
from tests.unit.render.samples import node, secrets, topology

PG_CTL = '#!/bin/sh\necho "$@" > "$(dirname "$0")/asked"\nexit "${PG_CTL_RESULT:-0}"\n'


def run(folder: Path) -> str | None:
    """Run the hook over a volume in ``folder``; what pg_ctl was asked, None if it was not."""
    (folder / "pg_ctl").write_text(PG_CTL)
    (folder / "pg_ctl").chmod(0o755)
    hook = folder / "before-stop"
    hook.write_text(SCRIPT.replace("/var/lib/postgresql", str(folder)))
    hook.chmod(0o755)
    done = subprocess.run(
        [hook], env={"PATH": f"{folder}:/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    asked = folder / "asked"
    return asked.read_text().strip() if asked.exists() else None


def test_without_an_announcement_nothing_is_stopped(tmp_path: Path) -> None:
    assert run(tmp_path) is None


def test_an_announced_stop_is_done_once_and_bounded(tmp_path: Path) -> None:
    announce(topology(), 60, directory=str(tmp_path))
    asked = run(tmp_path)
    assert asked == (f"stop --silent --pgdata={tmp_path}/data --mode=fast --wait --timeout=5")
    (tmp_path / "asked").unlink()
    assert run(tmp_path) is None


@pytest.mark.parametrize("text", ["1", "", "no number", "12 34"])
def test_an_old_or_damaged_announcement_counts_for_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / ANNOUNCEMENT).write_text(text)
    assert run(tmp_path) is None
    assert not (tmp_path / ANNOUNCEMENT).exists()


def test_an_announcement_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="handover-until cannot be written"):
        announce(topology(), 60, directory=str(tmp_path / "missing"))


def test_patroni_knows_the_hook_and_may_run_it() -> None:
    cluster = topology()
    config = patroni.local_config(cluster, node(cluster, 1), secrets())
    assert config["postgresql"]["before_stop"] == "/etc/pgha/before-stop"
    (hook,) = [
        f
        for f in patroni.files(cluster, node(cluster, 1), secrets())
        if f.path.endswith("/before-stop")
    ]
    assert hook.path == "/etc/pgha/coolify_postgres/patroni/before-stop"
    assert (hook.content, hook.uid, hook.secret) == (SCRIPT, 0, False)
