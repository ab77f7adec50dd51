"""A real PostgreSQL, alive, frozen and with the wrong password."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgha.certificates import certificate_pem, new_key, self_signed
from pgha_exporter import queries
from pgha_exporter.errors import SourceError
from pgha_exporter.postgres import PostgresCollector, PostgresFacts, Timeline, hba_hash
from pgha_exporter.route import RouteCollector
from pgha_exporter.server import ServerCollector
from pgha_exporter.source import Source
from tests.unit.clients.postgres_server import PASSWORD, Server
from tests.unit.exporter.support import until


@pytest.fixture(scope="module")
def monitor(postgres: Server) -> Iterator[str]:
    """The role that the exporter has in a cluster of ours."""
    with psycopg.connect(**postgres.settings().parameters(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE pgha_monitor LOGIN PASSWORD {} IN ROLE pg_monitor").format(
                PASSWORD
            )
        )
        yield "pgha_monitor"
        connection.execute("DROP ROLE pgha_monitor")


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    return str(path)


def dsn(postgres: Server, user: str) -> str:
    ca = f"{postgres.config_root}/{postgres.topology.cluster}/ca.crt"
    return (
        f"host=127.0.0.1 port={postgres.port} dbname=postgres user={user} "
        f"sslmode=verify-full sslrootcert={ca}"
    )


@pytest.fixture
def collector(postgres: Server, monitor: str, password_file: str) -> PostgresCollector:
    return PostgresCollector(dsn(postgres, monitor), password_file)


def test_the_monitor_role_sees_what_is_published(collector: PostgresCollector) -> None:
    facts = collector.collect()
    assert facts.writable
    assert (facts.in_recovery, facts.timeline, facts.streaming) == (False, 1, None)
    assert facts.current is not None
    assert facts.current > 0
    assert facts.system_identifier.isdecimal()
    assert facts.slow.wal_directory is not None
    assert len(facts.slow.settings_hash) == 16
    # Only a role that was granted the function reads pg_hba.conf.
    assert facts.slow.hba_hash == ""


def test_one_connection_serves_all_questions(collector: PostgresCollector) -> None:
    first = collector.collect().connections
    for _ in range(5):
        assert collector.collect().connections == first


def test_what_is_slow_is_asked_after_an_answer(
    collector: PostgresCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = collector.collect().slow
    collector.prepare()
    assert collector.collect().slow is first  # young enough
    monkeypatch.setattr("pgha_exporter.postgres.SLOW_S", 0.0)
    collector.prepare()
    monkeypatch.setattr("pgha_exporter.postgres.SLOW_S", 60.0)
    second = collector.collect().slow
    assert second is not first
    assert second.settings_hash == first.settings_hash


def test_a_connection_cut_in_a_preparation_is_made_anew(
    collector: PostgresCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = collector.collect().slow
    monkeypatch.setattr("pgha_exporter.postgres.SLOW_S", 0.0)
    collector.abort()
    with pytest.raises(psycopg.Error):
        collector.prepare()
    facts = collector.collect()
    assert facts.slow is not first
    assert facts.writable


def test_a_slot_is_described(collector: PostgresCollector, postgres: Server) -> None:
    with psycopg.connect(**postgres.settings().parameters(), autocommit=True) as connection:
        connection.execute("SELECT pg_create_physical_replication_slot('postgres_node_9', true)")
        try:
            (slot,) = collector.collect().slots
        finally:
            connection.execute("SELECT pg_drop_replication_slot('postgres_node_9')")
    assert (slot.name, slot.active, slot.status) == ("postgres_node_9", False, "reserved")
    assert slot.retained is not None


def test_a_timeline_does_not_go_back_while_postgresql_runs() -> None:
    timeline = Timeline()
    told = [(10.0, None), (10.0, 2), (10.0, 4), (10.0, 2), (10.0, None), (10.0, 5)]
    assert [timeline.known(*each) for each in told] == [None, 2, 4, 4, 4, 5]
    assert timeline.known(20.0, 3) == 3, "started again: rewound or restored"


def test_a_lower_timeline_told_later_is_not_shown(
    collector: PostgresCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = collector.collect().timeline
    ask, told = queries.facts, "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))"
    monkeypatch.setattr(queries, "facts", lambda version: ask(version).replace(told, "B'0'"))
    assert collector.collect().timeline == shown == 1


def test_a_read_only_server_is_not_writable(collector: PostgresCollector, postgres: Server) -> None:
    with psycopg.connect(**postgres.settings().parameters(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        try:
            assert until(lambda: not collector.collect().writable)
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")


def test_a_frozen_server_holds_nobody_and_is_seen_when_it_thaws(
    collector: PostgresCollector, postgres: Server
) -> None:
    # Connecting is no matter of this deadline.
    collector.collect()
    source: Source[PostgresFacts] = Source("postgres", lambda: collector, 0.2)
    source.ask()
    assert source.wait(time.monotonic() + 5) is not None
    with postgres.frozen():
        started = time.monotonic()
        source.ask()
        assert source.wait(started + 5) is None
        assert time.monotonic() - started < 1
        assert source.status().errors["timeout"] == 1

    def answers() -> bool:
        source.ask()
        return source.wait(time.monotonic() + 1) is not None

    assert until(answers)


def test_a_closed_connection_is_opened_again(
    collector: PostgresCollector, postgres: Server
) -> None:
    collector.collect()
    with psycopg.connect(**postgres.settings().parameters(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgha_monitor'"
        )
    with pytest.raises(SourceError):
        collector.collect()
    assert collector.collect().writable


def test_why_it_does_not_answer_and_no_secret(
    postgres: Server, monitor: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password")
    cases = {
        "auth": PostgresCollector(dsn(postgres, monitor), str(wrong)),
        "tls": PostgresCollector(
            dsn(postgres, monitor)
            .replace("verify-full", "verify-ca")
            .replace(
                f"sslrootcert={postgres.config_root}/{postgres.topology.cluster}/ca.crt",
                f"sslrootcert={other_ca(tmp_path)}",
            ),
            str(wrong),
        ),
        "refused": PostgresCollector("host=127.0.0.1 port=1 dbname=postgres user=x"),
    }
    for reason, collector in cases.items():
        with pytest.raises(SourceError) as raised:
            collector.collect()
        assert raised.value.reason == reason
        assert "not-the-password" not in str(raised.value)


def other_ca(folder: Path) -> str:
    path = folder / "other.crt"
    path.write_text(certificate_pem(self_signed(new_key(), datetime.now(timezone.utc))))
    return str(path)


def test_a_missing_password_file_is_an_auth_failure(postgres: Server, monitor: str) -> None:
    with pytest.raises(SourceError) as raised:
        PostgresCollector(dsn(postgres, monitor), "/nonexistent").collect()
    assert raised.value.reason == "auth"


def routes(postgres: Server, password_file: str, identifier: str = "") -> dict[str, Any]:
    ca = f"{postgres.config_root}/{postgres.topology.cluster}/ca.crt"
    collector = RouteCollector(
        dsn(postgres, "pgha_monitor"),
        password_file,
        "localhost",
        {"rw": postgres.port, "ro": postgres.port},
        ca,
        lambda: identifier,
    )
    return collector.collect()


def test_a_route_to_the_writable_server_is_fine(
    postgres: Server, monitor: str, password_file: str
) -> None:
    found = routes(postgres, password_file)
    assert {name: route.ok for name, route in found.items()} == {"rw": True, "ro": True}
    assert 0 < found["rw"].duration < 5


def test_a_route_to_another_cluster_is_wrong(
    postgres: Server, monitor: str, password_file: str
) -> None:
    found = routes(postgres, password_file, identifier="4711")
    assert not found["rw"].ok
    assert not found["ro"].ok
    assert "another cluster" in found["rw"].failure


def test_the_certificate_that_postgresql_serves_is_seen(postgres: Server) -> None:
    facts = ServerCollector("", (f"postgres:{postgres.port}",), {"data": "/"}).collect()
    assert facts.certificates[f"served-{postgres.port}"] > time.time() + 300 * 86400
    assert 0 < facts.volumes["data"].available <= facts.volumes["data"].size


def rule(user: str, address: str, method: str = "scram-sha-256") -> tuple[object, ...]:
    return ("hostssl", ["all"], [user], address, "255.255.255.255", method, None)


def test_rules_that_mean_the_same_on_every_member_have_one_hash() -> None:
    shared = [rule("replicator", f"10.0.0.{number}") for number in (1, 2)]
    first = [rule("postgres", "127.0.0.1"), rule("postgres", "10.0.0.1"), *shared]
    second = [rule("postgres", "127.0.0.1"), rule("postgres", "10.0.0.2"), *shared]
    one, two = hba_hash(first, "10.0.0.1,127.0.0.1"), hba_hash(second, "10.0.0.2,127.0.0.1")
    assert one == two
    assert hba_hash([*second, rule("x", "10.0.0.9", "trust")], "10.0.0.2") != two
    assert hba_hash(second[:-1], "10.0.0.2,127.0.0.1") != two
