"""Waiting, doing things at once, showing progress, one command at a time, removing state."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lab import cli
from lab.docker import last_line
from lab.down import keeps_state_elsewhere, remove_state
from lab.errors import LabError
from lab.instance import Instance
from lab.lock import lab_lock
from lab.progress import Progress
from lab.scripts import run_script
from lab.site_pillar import ensure_site, site_text
from lab.together import all_of, on_each
from lab.wait import poll


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_poll_returns_what_was_found() -> None:
    clock = Clock()
    answers = iter([None, None, "found"])
    found = poll(lambda: next(answers), deadline_s=9, otherwise="", clock=clock, sleep=clock.sleep)
    assert found == "found"
    assert clock.now == pytest.approx(0.5)


def test_poll_gives_up_with_its_sentence() -> None:
    clock = Clock()
    with pytest.raises(LabError, match=r"^not there after 3 s$"):
        poll(
            lambda: None,
            deadline_s=3,
            otherwise="not there after {seconds} s",
            clock=clock,
            sleep=clock.sleep,
        )


def test_failures_of_several_servers_are_all_told() -> None:
    def work(server: str) -> str:
        if server != "b":
            raise LabError(f"{server} failed.")
        return server

    with pytest.raises(LabError, match=r"^a failed\. c failed\.$"):
        on_each(["a", "b", "c"], work)


def test_the_same_failure_is_told_once() -> None:
    def fail() -> None:
        raise LabError("the engine is gone.")

    with pytest.raises(LabError, match=r"^the engine is gone\.$"):
        all_of(fail, lambda: fail())


def test_a_mistake_of_ours_is_no_lab_error() -> None:
    with pytest.raises(ZeroDivisionError):
        on_each([0], lambda number: 1 / number)


def test_progress_in_a_pipe_is_one_line_a_step() -> None:
    out, clock = io.StringIO(), Clock()
    with Progress(Console(file=out), clock) as progress, progress.step("servers") as step:
        clock.sleep(3.2)
        step.say("4 created")
    assert out.getvalue() == "servers (4 created) … 3.2 s\n"


def test_progress_tells_which_step_failed() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress(Console(file=out), clock)

    def fail() -> None:
        with progress.step("images", long=True):
            clock.sleep(60)
            raise LabError("no space")

    with pytest.raises(LabError):
        fail()
    assert out.getvalue().splitlines() == ["images …", "failed: images … 60.0 s"]


def test_one_command_at_a_time(instance: Instance) -> None:
    busy = pytest.raises(LabError, match=r"busy with `up` \(pid \d+\)")
    with lab_lock(instance, "up"), busy, lab_lock(instance, "down"):
        pass
    with lab_lock(instance, "down"):
        pass


def test_site_pillar_is_the_users_once_written(instance: Instance) -> None:
    ensure_site(instance)
    path = instance.site_dir / "postgresql" / "site.sls"
    path.write_text(path.read_text() + "postgresql_port: 5999\n")
    ensure_site(instance)
    assert "postgresql_port: 5999" in path.read_text()


def test_site_pillar_follows_the_servers(instance: Instance) -> None:
    ensure_site(instance)
    environ = {"PGHA_LAB_DOMAIN": "moved", "PGHA_LAB_SUBNET": "10.9.8"}
    moved = Instance.load("test", environ, root=instance.root)
    ensure_site(moved)
    text = (instance.site_dir / "postgresql" / "site.sls").read_text()
    assert "host: controller.moved" in text
    assert ".test" not in text


def test_site_pillar_is_yaml_that_names_every_node(instance: Instance) -> None:
    yaml = pytest.importorskip("yaml")
    site = yaml.safe_load(site_text(instance))
    assert [node["role"] for node in site["postgresql_nodes"]] == [
        "primary",
        "replica",
        "replica",
        "replica",
    ]
    assert site["coolify_url"] == "http://172.29.0.10:8000"
    assert site["coolify_controller"] == "controller.test"


def test_state_of_dev_is_not_the_labs_to_remove(tmp_path: Path) -> None:
    assert keeps_state_elsewhere(Instance.load("dev", {}, root=tmp_path))
    assert not keeps_state_elsewhere(Instance.load("test", {}, root=tmp_path))


def test_removing_state_keeps_what_git_tracks(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*")
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.key").write_text("x")
    (tmp_path / "loose").write_text("x")
    remove_state(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]


def test_destroy_without_a_terminal_needs_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("test\n"))
    assert cli.main(["destroy", "--instance", "test"]) == 1
    assert capsys.readouterr().err == "error: Nobody can be asked here: say --yes if you mean it.\n"


def test_an_operators_mistake_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--instance", "nowhere"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: The lab 'nowhere' is not known")
    assert error.count("\n") == 1


def test_a_failing_script_gives_its_last_word(tmp_path: Path) -> None:
    script = tmp_path / "fail.sh"
    script.write_text("#!/bin/sh\necho working >&2\necho 'error: no disk' >&2\nexit 1\n")
    script.chmod(0o755)
    lines: list[str] = []
    with pytest.raises(LabError, match=r"^fail\.sh: no disk$"):
        run_script(script, on_line=lines.append)
    assert lines == ["working", "error: no disk"]


def test_dockers_advice_is_not_its_reason() -> None:
    said = "docker: Error response from daemon: no space.\n\nRun 'docker run --help' for more\n"
    assert last_line(said) == "docker: Error response from daemon: no space."
