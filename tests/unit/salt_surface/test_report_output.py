"""The report of an orchestration: short, whole where something failed, plain when piped."""

from __future__ import annotations

from typing import Any

import pytest

from _output import postgres_report as report


@pytest.fixture(autouse=True)
def no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "__opts__", {"color": False}, raising=False)


def returned(*states: dict[str, Any]) -> dict[str, Any]:
    keyed = {
        f"postgres_|-{state['id']}_|-{state['id']}_|-x": {
            "changes": {}, "comment": "", "duration": 1500.0, "__run_num__": number, **state,
        }
        for number, state in enumerate(states)
    }  # fmt: skip
    return {"data": {"controller.lan_master": keyed}, "outputter": "highstate", "retcode": 0}


def test_a_run_without_changes_is_one_line() -> None:
    same = {"id": "Every server has a router", "result": True, "comment": "Already as declared."}
    assert report.output(returned(same, same)) == "1 step, 0 changed, 0 failed, 1.5 s"


def test_changes_are_one_line_each_and_the_rest_is_counted() -> None:
    files = {f"/etc/pgha/{n}": {"old": None, "new": "mode 0644"} for n in range(9)}
    changes = {"app-server-1.lan": {"The files are as declared": files}}
    lines = report.output(
        returned({"id": "Every server has its files", "result": True, "changes": changes})
    ).splitlines()
    assert lines[0] == "✓ Every server has its files"
    assert lines[1] == "    app-server-1.lan: /etc/pgha/0: mode 0644"
    assert lines[7] == "    … and 3 more; --out=highstate shows all"
    assert len(lines) == 9


def test_old_and_new_value_of_a_setting() -> None:
    changes = {"work_mem": {"old": "4MB", "new": "16MB"}, "gone": {"old": "x", "new": None}}
    text = report.output(returned({"id": "Settings", "result": None, "changes": changes}))
    assert "→ Settings" in text
    assert "    work_mem: 4MB → 16MB" in text
    assert "    gone: x → none" in text
    assert text.endswith("1 step, 1 would change, 0 failed, 1.5 s")


def test_a_failure_is_shown_whole_and_its_followers_are_not() -> None:
    text = report.output(
        returned(
            {"id": "Fit", "result": False, "comment": "builder.lan: no disk\ncontroller.lan: late"},
            {"id": "Next", "result": False, "comment": "One or more requisite failed: x"},
        )
    )
    assert "✗ Fit\n    builder.lan: no disk\n    controller.lan: late\n" in text
    assert "Next" not in text


def test_what_a_step_has_to_say_is_shown_without_changes() -> None:
    said = {"id": "Settings", "result": True, "comment": "Already as declared. Restart pending."}
    assert "    Restart pending." in report.output(returned(said))


def test_nothing_from_a_server_moves_the_cursor() -> None:
    bad = {"id": "Fit", "result": False, "comment": "\x1b[2Jgone"}
    assert "\x1b" not in report.output(returned(bad))


def test_other_data_is_left_alone() -> None:
    assert report.output("an error text") == "an error text"
