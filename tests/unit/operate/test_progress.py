"""What an operator sees while a long step runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pgha_master import progress
from pgha_master.progress import Progress


def test_without_a_terminal_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    shown = Progress(Console(file=text, highlight=False))
    with shown.step("dumping"):
        shown.show_progress("1 MB")
        monkeypatch.setattr(progress, "SAID_EVERY_S", 0.0)
        shown.show_progress("2 MB")
    lines = text.getvalue().splitlines()
    assert lines[0] == "  2 MB"
    assert lines[1].startswith("✓ dumping")


def test_on_a_terminal_beside_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN_EVERY_S", 0.0)
    text = io.StringIO()
    shown = Progress(Console(file=text, force_terminal=True, width=80))
    with shown.step("dumping"):
        shown.show_progress("1 MB")
        assert shown._status is not None
        assert shown._status.status == "dumping: 1 MB"
