"""The table that an operator reads."""

from __future__ import annotations

import re
from typing import Any

import pytest

from _output import postgres_status
from pgha.status import assemble
from tests.unit.library.answers import NOW, World

HEALTHY = """\
coolify_postgres is healthy: leader postgres-node-1 (app-server-1.lan), timeline 3, 3 replicas streaming

 Node             Server            Role     State      TL    Lag  etcd     Write  Read  Pool  Coolify
 ─────────────────────────────────────────────────────────────────────────────────────────────────────
 postgres-node-1  app-server-1.lan  leader   running     3      -  voter    ok     ok    ok    running
 postgres-node-2  app-server-2.lan  replica  streaming   3  20 kB  leader   ok     ok    ok    running
 postgres-node-3  controller.lan    replica  streaming   3  20 kB  voter    ok     ok    ok    running
 postgres-node-4  builder.lan       replica  streaming   3  20 kB  learner  ok     ok    ok    running

etcd: 3 of 3 voters healthy, tolerates the loss of 1
Backup: none; take one with `salt-run state.orchestrate postgres.backup`"""  # noqa: E501


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(postgres_status, "__opts__", {"color": False}, raising=False)


def status(world: World) -> dict[str, Any]:
    return assemble(world.topology, world.patroni, world.etcd, world.routes, world.coolify, NOW)


def break_things(world: World) -> None:
    world.silence("builder.lan")
    world.patroni["controller.lan"].update(
        state="start failed",
        timeline=2,
        lag_bytes=5 * 1024**3,
        pending_restart=True,
        pending_restart_reason={"max_connections": {}},
        paused=True,
    )
    world.etcd["app-server-2.lan"] = {"error": "https://172.28.0.21:2379 did not answer"}
    world.routes["controller.lan"]["read_write"] = {"ok": False, "server": None, "error": "refused"}
    world.coolify["stacks"]["coolify_postgres-postgres-node-1-router"] = "exited"


def test_healthy(world: World) -> None:
    assert postgres_status.output(status(world)) == HEALTHY


def test_the_ages_of_the_last_backup_and_of_the_last_verified_one(world: World) -> None:
    answer = status(world)
    last = {"name": "postgres_backup_2.sql.gz", "at": "2026-11-24T05:00:00+00:00", "age_s": 3599}
    answer["backup"] = {"last": last, "verified": None}
    line = postgres_status.output(answer).splitlines()[-1]
    assert line == "Backup: 59 min old (postgres_backup_2.sql.gz), none verified yet"
    answer["backup"]["verified"] = {**last, "name": "postgres_backup_1.sql.gz", "age_s": 3 * 86400}
    line = postgres_status.output(answer).splitlines()[-1]
    assert line.endswith("(postgres_backup_2.sql.gz), last verified 3 d ago")


def test_broken(world: World) -> None:
    break_things(world)

    text = postgres_status.output(status(world))
    lines = text.splitlines()

    assert lines[0] == (
        "coolify_postgres is NOT healthy: 5 problems; leader postgres-node-1 (app-server-1.lan), "
        "timeline 3"
    )
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines if line.startswith(" postgres-")]
    assert ["|".join(row[2:]) for row in rows] == [
        "leader|running|3|-|voter|ok|ok|ok|3 of 4 up",
        "replica|streaming|3|20 kB|error|ok|ok|ok|running",
        "replica|start failed|2|5.0 GB|voter|FAILS|ok|ok|running",
        "-|silent|-|-|silent|-|-|-|running",
    ]
    assert "etcd: 2 of 3 voters healthy, tolerates no further loss" in lines
    assert "Restart pending on postgres-node-3 for max_connections." in lines
    assert "Paused: nobody fails over by itself until the cluster is resumed." in lines
    problems, disagreements = lines.index("Problems:"), lines.index("Disagreements:")
    assert sum(line.startswith("  - ") for line in lines[problems:disagreements]) == 5
    assert "as exited" in " ".join(lines[disagreements:])


@pytest.mark.parametrize("columns", ["80", "100", "120", "300"])
@pytest.mark.parametrize("rich", [True, False])
def test_rows_stay_whole_and_within_120(
    world: World, monkeypatch: pytest.MonkeyPatch, columns: str, rich: bool
) -> None:
    break_things(world)
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(postgres_status, "HAS_RICH", rich)

    lines = postgres_status.output(status(world)).splitlines()

    assert max(map(len, lines)) <= max(100, min(int(columns), 120))
    for name in ("app-server-1.lan", "start failed", "3 of 4 up", "FAILS"):
        assert any(name in line for line in lines), name


def test_without_rich_the_words_are_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    break_things(world)
    with_rich = postgres_status.output(status(world))
    monkeypatch.setattr(postgres_status, "HAS_RICH", False)

    assert words(postgres_status.output(status(world))) == words(with_rich)


def words(text: str) -> list[str]:
    return [word for word in text.split() if not set(word) <= {"─"}]


def test_colour_on_a_terminal_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in postgres_status.output(status(world))
    monkeypatch.setattr(postgres_status, "__opts__", {"color": True})

    assert postgres_status.output(status(world)).startswith("\x1b[1;32mcoolify_postgres is healthy")
    world.silence("builder.lan")
    text = postgres_status.output(status(world))
    assert text.startswith("\x1b[1;31mcoolify_postgres is NOT healthy")


def test_what_a_server_says_cannot_steer_the_terminal(world: World) -> None:
    world.patroni["builder.lan"] = {"error": "\x1b[2J\x07gone\r"}

    assert not set("\x1b\x07\r") & set(postgres_status.output(status(world)))


def test_markup_of_others_is_text(world: World) -> None:
    world.patroni["builder.lan"] = {"error": "[bold]gone[/bold] [link=x]"}

    assert "[bold]gone[/bold] [link=x]." in postgres_status.output(status(world))


def test_lag_is_rounded_for_reading(world: World) -> None:
    for lag, shown in ((0, "0 B"), (1023, "1023 B"), (16 * 1024**2, "16 MB"), (None, "-")):
        world.patroni["builder.lan"]["lag_bytes"] = lag
        (row,) = (
            line
            for line in postgres_status.output(status(world)).splitlines()
            if "postgres-node-4" in line
        )
        assert re.split(r"\s{2,}", row.strip())[5] == shown


def test_a_runners_return_with_exit_status_is_unwrapped(world: World) -> None:
    data = status(world)

    wrapped = {"data": data, "outputter": "postgres_status", "retcode": 0}
    assert postgres_status.output(wrapped) == HEALTHY
    assert postgres_status.output({**data, "retcode": 0}) == HEALTHY


def test_text_passes_and_anything_else_is_left_to_salt() -> None:
    assert postgres_status.output("Exception occurred in runner") == "Exception occurred in runner"
    with pytest.raises(TypeError):
        postgres_status.output({"ret": 1})


@pytest.mark.parametrize(("out", "begins"), [(None, "coolify_postgres is healthy"), ("json", "{")])
def test_salt_finds_it_and_json_still_works(
    world: World, tmp_path: Any, out: str | None, begins: str
) -> None:
    """Through Salt's own loader, as `salt-run` prints a runner's return."""
    salt_output = pytest.importorskip("salt.output")
    from pathlib import Path

    options = {
        "extension_modules": str(tmp_path),
        "outputter_dirs": [str(Path(postgres_status.__file__).parent)],
        "color": False,
        "optimization_order": [0, 1, 2],
    }
    if out:
        options["output"] = out
    data = {**status(world), "retcode": 0}

    text = salt_output.out_format(data, "postgres_status", options)

    assert text.startswith(begins)
