"""The tools that copy a server give up on one that says nothing any more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from psycopg import pq

from pgha.render import patroni
from pgha.render.keepalive import KEEPALIVES, SCRIPT, SERVICES, TOOLS
from tests.unit.render.samples import node, secrets, topology


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_itself_runs_with_its_arguments_and_the_service(tool: str, tmp_path: Path) -> None:
    shown = '#!/bin/sh\necho "$PGSERVICEFILE" "$PGSERVICE" "$@"\n'
    for folder, text in (("bin", shown), ("etc", SCRIPT)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / tool).write_text(text)
        (tmp_path / folder / tool).chmod(0o755)
    done = subprocess.run(
        [tmp_path / "etc" / tool, "--dbname=a b"], env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "/etc/pgha/pg_service.conf keepalives --dbname=a b\n"


def test_libpq_takes_the_keepalives_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pg_service.conf"
    file.write_text(SERVICES)
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "keepalives")
    found = {option.keyword.decode(): option.val for option in pq.Conninfo.get_defaults()}
    assert {key: int(found[key] or 0) for key in KEEPALIVES} == KEEPALIVES


def test_patroni_is_told_of_programs_that_it_may_run() -> None:
    cluster = topology()
    files = {f.path: f for f in patroni.files(cluster, node(cluster, 1), secrets())}
    folder = "/etc/pgha/coolify_postgres/patroni"
    config = patroni.local_config(cluster, node(cluster, 1), secrets())
    assert set(config["postgresql"]["bin_name"]) == set(TOOLS)
    for tool, path in config["postgresql"]["bin_name"].items():
        assert path == f"/etc/pgha/{tool}"
        assert files[f"{folder}/{tool}"].mode == 0o755
    assert not files[f"{folder}/pg_service.conf"].secret
