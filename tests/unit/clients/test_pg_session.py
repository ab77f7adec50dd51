"""Bounds and sentences of a connection, against a real PostgreSQL and against silence."""

from __future__ import annotations

import socket
import time

import pytest

from pgha.errors import RefusedError, UnreachableError
from pgha.pg.probe import effective_settings, server_facts
from pgha.pg.session import session
from pgha.pg.settings import ConnectSettings
from tests.unit.clients.postgres_server import PASSWORD, Server


def test_the_password_is_not_in_the_representation() -> None:
    assert PASSWORD not in repr(ConnectSettings("a.lan", 5432, "postgres", PASSWORD))


def test_facts_of_a_server(postgres: Server) -> None:
    facts = server_facts(postgres.settings())
    assert facts["in_recovery"] is False
    assert facts["server_ip"].startswith("127.0.0.1")
    assert "/" in facts["lsn"]
    assert effective_settings(postgres.settings(), ["shared_buffers", "nonsense"]) == {
        "shared_buffers": ("2048", "8kB")
    }


def test_a_server_that_accepts_and_stays_silent_costs_no_more_than_the_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        start = time.monotonic()
        settings = ConnectSettings("127.0.0.1", port, "postgres", PASSWORD, where="a.lan")
        with pytest.raises(UnreachableError, match=r"PostgreSQL on a\.lan .* timeout"):
            server_facts(settings)
        assert time.monotonic() - start < 3.5


def test_a_server_that_freezes_after_login_costs_no_more_than_the_bound(postgres: Server) -> None:
    start = time.monotonic()
    with (
        pytest.raises(UnreachableError, match=r"did not answer within 0\.4 s"),
        session(postgres.settings(timeout_s=0.4)) as connection,
        postgres.frozen(),
    ):
        connection.execute("SELECT 1")
    assert time.monotonic() - start < 2.5
    assert server_facts(postgres.settings())["in_recovery"] is False


def test_a_statement_that_takes_too_long_is_ended_on_the_server(postgres: Server) -> None:
    with (
        pytest.raises(UnreachableError, match=r"did not answer within 0\.4 s"),
        session(postgres.settings(timeout_s=0.4)) as connection,
    ):
        connection.execute("SELECT pg_sleep(30)")


def test_a_wrong_password_names_the_role_and_no_password(postgres: Server) -> None:
    with pytest.raises(UnreachableError, match="cannot be reached as postgres") as caught:
        server_facts(postgres.settings(password="wrong-password"))
    assert "authentication failed" in str(caught.value)
    assert "wrong-password" not in str(caught.value)


def test_a_server_that_its_certificate_does_not_name_is_not_trusted(postgres: Server) -> None:
    elsewhere = ConnectSettings(
        "127.0.0.2", postgres.port, "postgres", PASSWORD, ca_file=postgres.settings().ca_file
    )
    with pytest.raises(UnreachableError):
        server_facts(elsewhere)


def test_plain_text_is_refused_by_the_server(postgres: Server) -> None:
    plain = ConnectSettings("127.0.0.1", postgres.port, "postgres", PASSWORD)
    with pytest.raises(UnreachableError, match="no encryption"):
        server_facts(plain)


def test_writing_where_it_is_not_allowed_is_a_refusal(postgres: Server) -> None:
    with (
        pytest.raises(RefusedError, match="read-only transaction"),
        session(postgres.settings()) as connection,
    ):
        connection.execute("SET TRANSACTION READ ONLY; CREATE TABLE t ()")


def test_an_error_undoes_the_whole_block(postgres: Server) -> None:
    def fail_half_way() -> None:
        with session(postgres.settings()) as connection:
            connection.execute("CREATE TABLE half_done ()")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with session(postgres.settings()) as connection:
        row = connection.execute("SELECT to_regclass('half_done')").fetchone()
    assert row == (None,)
