from __future__ import annotations

import time
from pathlib import Path

import pytest

from pgha.errors import (
    DamagedStateError,
    NotFoundError,
    UnexpectedAnswerError,
    UnreachableError,
)
from pgha.transport import Endpoint, TlsFiles, in_parallel, within
from tests.unit.clients.servers import closed_port, dripping_server, hung_server, serve


def endpoint(url: str, **options: object) -> Endpoint:
    return Endpoint(url, "Patroni on a.lan", "see `pgha-logs patroni` there", **options)  # type: ignore[arg-type]


def test_a_server_that_accepts_and_stays_silent_costs_no_more_than_the_bound() -> None:
    with hung_server() as url:
        start = time.monotonic()
        with pytest.raises(UnreachableError, match=r"did not answer within 0\.5 s; see `pgha-logs"):
            endpoint(url, timeout_s=0.5).request("GET", "/cluster")
        assert time.monotonic() - start < 1.5


def test_a_server_that_drips_its_answer_costs_no_more_than_the_bound() -> None:
    with dripping_server() as url:
        start = time.monotonic()
        with pytest.raises(UnreachableError, match="did not answer within"):
            endpoint(url, timeout_s=0.5).request("GET", "/")
        assert time.monotonic() - start < 1.5


def test_nobody_listening_names_server_address_and_next_step() -> None:
    with closed_port() as url, pytest.raises(UnreachableError) as caught:
        endpoint(url).request("GET", "/")
    assert f"Patroni on a.lan ({url}) cannot be reached" in str(caught.value)
    assert str(caught.value).endswith("see `pgha-logs patroni` there.")


def test_the_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as proxy, serve({"GET /": (200, {"a": 1})}) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        assert endpoint(server.url).request("GET", "/").json() == {"a": 1}


def test_an_answer_that_is_not_json_is_told_apart_from_no_answer() -> None:
    with serve({"GET /": (200, "<html>")}) as server:
        answer = endpoint(server.url).request("GET", "/")
        with pytest.raises(UnexpectedAnswerError, match="not JSON; check what listens"):
            answer.json()


def test_the_password_is_not_in_the_representation() -> None:
    assert "hunter2hunter2" not in repr(endpoint("http://x", auth=("patroni", "hunter2hunter2")))


def test_a_missing_ca_says_which_file_and_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"ca\.crt does not exist on this server; run the dep"):
        TlsFiles(str(tmp_path / "ca.crt")).context()


def test_a_file_that_is_no_certificate_says_so(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("not a certificate")
    with pytest.raises(DamagedStateError, match=r"ca\.crt cannot be used for TLS"):
        TlsFiles(str(tmp_path / "ca.crt")).context()


def test_within_gives_the_result_and_the_error_of_the_call() -> None:
    assert within(1, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(1, lambda: 1 // 0)


def test_an_error_in_a_parallel_call_is_not_lost() -> None:
    with pytest.raises(ZeroDivisionError):
        in_parallel({"good": lambda: 1, "bad": lambda: 1 // 0})


def test_parallel_calls_take_as_long_as_the_slowest() -> None:
    def slow() -> str:
        time.sleep(0.2)
        return "done"

    start = time.monotonic()
    assert in_parallel(dict.fromkeys("abcd", slow)) == dict.fromkeys("abcd", "done")
    assert time.monotonic() - start < 0.7
