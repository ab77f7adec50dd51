"""Roles, databases and the product's objects on a real PostgreSQL."""

from __future__ import annotations

import dataclasses
from typing import Any

import psycopg
import pytest

from pgha.pg.converge import apply_databases, apply_roles, plan_databases, plan_roles
from pgha.pg.databases import DatabaseSpec
from pgha.pg.roles import RoleSpec, declared_roles
from pgha.secrets import SecretStore
from tests.unit.clients.postgres_server import PASSWORD, Server


@pytest.fixture(scope="module")
def roles(postgres: Server) -> tuple[RoleSpec, ...]:
    """All roles but the superuser, whose password the other tests of this server use."""
    return declared_roles(postgres.topology, postgres.verifiers)[1:]


@pytest.fixture(scope="module")
def database(postgres: Server) -> DatabaseSpec:
    return DatabaseSpec(postgres.topology.app_database, postgres.topology.app_user)


@pytest.fixture(scope="module", autouse=True)
def converged(postgres: Server, roles: tuple[RoleSpec, ...], database: DatabaseSpec) -> Any:
    """What the first run reported, planned and done: (plan, done) of roles and of databases."""
    settings = postgres.settings()
    first = plan_roles(settings, roles), apply_roles(settings, roles)
    return first, (plan_databases(settings, database), apply_databases(settings, database))


def sql(server: Server, statement: str, database: str = "postgres") -> list[Any]:
    with psycopg.connect(
        **server.settings().to_database(database).parameters(), autocommit=True
    ) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def connected(server: Server, user: str, password: str, database: str = "postgres") -> Any:
    return psycopg.connect(
        **server.settings(user, password).to_database(database).parameters(), autocommit=True
    )


def app_password(server: Server) -> str:
    return SecretStore(server.root / "state").read("app")


def test_the_first_run_creates_what_it_planned(converged: Any) -> None:
    for planned, done in converged:
        assert planned == done
        assert all(change["old"] is None for change in done.values())
    assert "role app_user" in converged[0][1]
    assert "database application" in converged[1][1]


def test_the_second_run_finds_nothing_to_do(
    postgres: Server, roles: tuple[RoleSpec, ...], database: DatabaseSpec
) -> None:
    settings = postgres.settings()
    assert plan_roles(settings, roles) == apply_roles(settings, roles) == {}
    assert plan_databases(settings, database) == apply_databases(settings, database) == {}


def test_no_change_shows_a_verifier_and_no_log_line_either(
    postgres: Server, converged: Any, roles: tuple[RoleSpec, ...]
) -> None:
    log = (postgres.root / "log").read_text()
    assert "SELECT r.rolname" in log  # statements are logged here, so silence would show
    for text in (repr(converged), log, repr(roles)):
        assert "SCRAM-SHA-256$" not in text


def test_every_role_logs_in_with_its_password_and_has_no_power_it_does_not_need(
    postgres: Server,
) -> None:
    passwords = {**postgres.passwords, "app": app_password(postgres)}
    names = {
        "replicator": "replicator",
        "rewind": "rewind",
        "pgha_monitor": "monitor",
        "pgbouncer": "pgbouncer",
    }
    for role, secret in names.items():
        connected(postgres, role, passwords[secret]).close()
    powers = "SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolcreatedb"
    assert sql(postgres, powers) == [("postgres",)]
    assert sql(postgres, "SELECT rolname FROM pg_roles WHERE rolreplication ORDER BY 1") == [
        ("postgres",),
        ("replicator",),
    ]


def test_a_changed_password_is_put_back(postgres: Server, roles: tuple[RoleSpec, ...]) -> None:
    sql(postgres, "ALTER ROLE app_user PASSWORD 'somebody elses'")
    changes = apply_roles(postgres.settings(), roles)
    assert changes == {"role app_user": {"password": {"old": "different", "new": "as declared"}}}
    connected(postgres, "app_user", app_password(postgres), "application").close()


def test_powers_given_and_memberships_taken_by_hand_are_put_back(
    postgres: Server, roles: tuple[RoleSpec, ...]
) -> None:
    sql(postgres, "ALTER ROLE app_user SUPERUSER NOLOGIN; REVOKE pg_monitor FROM pgha_monitor")
    changes = apply_roles(postgres.settings(), roles)
    assert changes == {
        "role app_user": {
            "login": {"old": False, "new": True},
            "superuser": {"old": True, "new": False},
        },
        "role pgha_monitor": {"member_of": {"old": [], "new": ["pg_monitor"]}},
    }
    assert plan_roles(postgres.settings(), roles) == {}


def test_rewind_may_read_files_as_pg_rewind_needs_and_nobody_else_may(postgres: Server) -> None:
    question = "SELECT octet_length(pg_read_binary_file('PG_VERSION'))"
    with connected(postgres, "rewind", postgres.passwords["rewind"]) as connection:
        assert connection.execute(question).fetchone()[0] > 0
    with (
        connected(postgres, "pgbouncer", postgres.passwords["pgbouncer"]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(question)


def test_the_application_owns_its_database_and_others_stay_out(postgres: Server) -> None:
    with connected(postgres, "app_user", app_password(postgres), "application") as connection:
        connection.execute("CREATE TABLE mine (id int); DROP TABLE mine")
    connected(postgres, "pgha_monitor", postgres.passwords["monitor"], "application").close()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connected(postgres, "pgbouncer", postgres.passwords["pgbouncer"], "application")


def test_an_opened_database_is_closed_again(postgres: Server, database: DatabaseSpec) -> None:
    sql(postgres, "GRANT CONNECT ON DATABASE application TO PUBLIC")
    sql(postgres, "ALTER SCHEMA public OWNER TO postgres", "application")
    changes = apply_databases(postgres.settings(), database)
    assert changes == {
        "database application": {
            "public_may_connect": {"old": True, "new": False},
            "public_schema_owner": {"old": "postgres", "new": "app_user"},
        }
    }
    assert plan_databases(postgres.settings(), database) == {}


def test_pgbouncer_looks_up_applications_and_nobody_with_more_power(postgres: Server) -> None:
    with connected(postgres, "pgbouncer", postgres.passwords["pgbouncer"]) as connection:
        lookup = "SELECT usename, passwd FROM pgbouncer.get_auth(%s)"
        assert connection.execute(lookup, ("app_user",)).fetchall() == [
            ("app_user", postgres.verifiers["app"])
        ]
        for name in ("postgres", "replicator", "rewind", "pgbouncer", "nobody"):
            assert connection.execute(lookup, (name,)).fetchall() == []


def test_nobody_but_pgbouncer_may_look_up(postgres: Server) -> None:
    with (
        connected(postgres, "pgha_monitor", postgres.passwords["monitor"]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM pgbouncer.get_auth('app_user')")


def test_a_lookup_that_was_opened_or_rewritten_is_put_back(
    postgres: Server, database: DatabaseSpec
) -> None:
    sql(postgres, "GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(text) TO PUBLIC, app_user")
    sql(postgres, "ALTER FUNCTION pgbouncer.get_auth(text) SECURITY INVOKER")
    changes = apply_databases(postgres.settings(), database)
    assert changes["function pgbouncer.get_auth"]["definition"]["old"] == "different"
    assert "PUBLIC EXECUTE" in changes["function pgbouncer.get_auth"]["granted"]["old"]
    assert plan_databases(postgres.settings(), database) == {}


def test_a_heartbeat_table_of_another_shape_is_replaced(
    postgres: Server, database: DatabaseSpec
) -> None:
    sql(postgres, "ALTER TABLE pgha.heartbeat ADD COLUMN note text")
    assert "table pgha.heartbeat" in apply_databases(postgres.settings(), database)
    assert plan_databases(postgres.settings(), database) == {}


def test_names_that_need_quotes_are_names_like_any_other(postgres: Server) -> None:
    role = RoleSpec('od"d-Name', postgres.verifiers["app"])
    spec = DatabaseSpec("Odd-Base", role.name)
    try:
        apply_roles(postgres.settings(), [role])
        apply_databases(postgres.settings(), spec)
        assert plan_roles(postgres.settings(), [role]) == {}
        assert plan_databases(postgres.settings(), spec) == {}
    finally:
        sql(postgres, 'DROP DATABASE IF EXISTS "Odd-Base"')
        sql(postgres, 'DROP ROLE IF EXISTS "od""d-Name"')


def test_the_superusers_own_verifier_is_repaired_too(postgres: Server) -> None:
    superuser = declared_roles(postgres.topology, postgres.verifiers)[0]
    try:
        changes = apply_roles(postgres.settings(), [superuser])
        assert changes == {
            "role postgres": {"password": {"old": "different", "new": "as declared"}}
        }
        settings = postgres.settings(password=postgres.passwords["superuser"])
        assert plan_roles(settings, [superuser]) == {}
    finally:
        settings = postgres.settings(password=postgres.passwords["superuser"])
        with psycopg.connect(**settings.parameters(), autocommit=True) as connection:
            connection.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'")


def test_a_failed_statement_is_reported_without_its_text(postgres: Server) -> None:
    broken = dataclasses.replace(
        RoleSpec("doomed", "SCRAM-SHA-256$not-a-verifier"), memberships=("no_such_group",)
    )
    with pytest.raises(Exception, match="could not do it: role") as caught:
        apply_roles(postgres.settings(), [broken])
    assert "SCRAM" not in str(caught.value)
    assert sql(postgres, "SELECT 1 FROM pg_roles WHERE rolname = 'doomed'") == []
