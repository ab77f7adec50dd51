"""Running tools: what they write, why they failed, and what never shows."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pgha.backup.access import conninfo
from pgha.backup.tools import ToolError, Tools, output, run, stream_in, stream_out
from pgha.errors import FailedError, UnreachableError


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_everything_that_was_written_arrives(tmp_path: Path) -> None:
    got: list[bytes] = []
    place = pipe(tmp_path)
    stream_out(shell(f"head -c 3000000 /dev/zero > {place}"), place, got.append)
    assert sum(map(len, got)) == 3_000_000


def test_a_tool_that_fails_half_way_is_a_failure(tmp_path: Path) -> None:
    place = pipe(tmp_path)
    script = f"echo half > {place}; echo 'pg_dump: error: server closed' >&2; exit 1"
    with pytest.raises(ToolError, match="pg_dump: error: server closed"):
        stream_out(shell(script), place, lambda _: None)


def test_a_tool_that_never_opens_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="cannot connect"):
        stream_out(shell("echo cannot connect >&2; exit 1"), pipe(tmp_path), lambda _: None)


def test_a_source_that_hangs_is_given_up(tmp_path: Path) -> None:
    place = pipe(tmp_path)
    started = time.monotonic()
    with pytest.raises(ToolError, match="sent nothing"):
        stream_out(shell(f"exec sleep 60 > {place}"), place, lambda _: None, stalled_after_s=0.05)
    assert time.monotonic() - started < 5


def test_a_full_disk_ends_the_tool(tmp_path: Path) -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    place = pipe(tmp_path)
    with pytest.raises(OSError, match="No space"):
        stream_out(shell(f"exec cat /dev/zero > {place}"), place, full)


def test_input_arrives_and_the_first_error_is_told(tmp_path: Path) -> None:
    stream_in(shell(f"cat > {tmp_path}/out"), [b"a" * 100_000, b"b"])
    assert (tmp_path / "out").stat().st_size == 100_001
    script = "head -c 1 >/dev/null; echo 'psql:<stdin>:3: ERROR:  no' >&2; echo 'DETAIL: row' >&2"
    with pytest.raises(FailedError, match="ERROR:  no") as caught:
        stream_in(shell(f"{script}; exit 3"), [b"x" * 1_000_000] * 3)
    assert "DETAIL" not in str(caught.value)


def test_output_and_its_failures() -> None:
    assert output(shell("cat"), stdin="hello") == "hello"
    with pytest.raises(ToolError, match="it said nothing"):
        output(shell("exit 2"))
    with pytest.raises(ToolError):
        run(shell("exit 2"))
    with pytest.raises(UnreachableError, match="install Docker"):
        output(["/nonexistent/docker", "ps"])


def test_a_container_has_no_rights_no_log_and_no_secret_on_its_command_line(tmp_path: Path) -> None:
    tools = Tools("pgha/patroni:16", "coolify_postgres").with_mount(tmp_path, "/run/pgha", "ro")
    command = tools.command(["psql", "-c", "SELECT 1"], interactive=True)
    text = " ".join(command)
    for part in ("--cap-drop ALL", "--read-only", "--log-driver none", "--pull never",
                 f"--volume {tmp_path}:/run/pgha:ro", "--entrypoint psql"):  # fmt: skip
        assert part in text
    assert "--env" not in text


def test_a_database_may_have_any_name() -> None:
    assert conninfo({"dbname": "it's a\\b"}) == r"dbname='it\'s a\\b'"
