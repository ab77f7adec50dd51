"""Waiting for a Grafana: what it answers decides, and what it said last is in the error."""

from __future__ import annotations

import httpx
import pytest

from pgha import wait
from pgha.errors import TimedOutError
from pgha.prometheus import grafana

URL = "http://127.0.0.1:3000"
OK = {"database": "ok", "version": "11.6.0"}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What it says, one after the other; the last one again and again."""
    said: list[object] = []

    def get(url: str, **_: object) -> httpx.Response:
        assert url == f"{URL}/api/health"
        answer = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    monkeypatch.setattr(grafana.httpx, "get", get)
    monkeypatch.setattr(wait.time, "sleep", lambda _: None)
    return said


def test_it_is_waited_for_until_its_database_answers(answers: list[object]) -> None:
    starting = httpx.Response(503, json={"database": "failing"})
    answers += [httpx.ConnectError("refused"), httpx.Response(502, text="<html>"), starting, OK]

    assert grafana.wait_healthy(URL, deadline_s=5) == "11.6.0"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.ConnectError("refused"), "does not answer"),
        ({"database": "failing"}, "database is not ok"),
        (["ok"], "database is not ok"),
    ],
)
def test_the_error_says_what_it_said_last(answers: list[object], answer: object, said: str) -> None:
    answers.append(answer)

    with pytest.raises(TimedOutError, match=rf"Grafana at {URL}.*{said}"):
        grafana.wait_healthy(URL, deadline_s=0)
