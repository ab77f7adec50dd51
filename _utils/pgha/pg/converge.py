"""Roles and databases as declared: compare, act, compare again.

``changes`` is ``{what: {"old": ..., "new": ...}}`` (nested for what exists already), the same
whether it was only planned or also done. It never holds a verifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pgha.diff import diff
from pgha.pg.databases import (
    DatabaseSpec,
    create_statement,
    database_statements,
    observe_database,
    observe_public_schema,
    public_schema_statements,
)
from pgha.pg.objects import DECLARED_OBJECTS, create_objects, observe_objects
from pgha.pg.probe import require_leader
from pgha.pg.roles import RoleSpec, observe_roles, role_statements
from pgha.pg.session import Connection, session
from pgha.pg.settings import ConnectSettings

Changes = dict[str, Any]

# Verifiers must not reach the server's log or pg_stat_statements, and a cluster whose synchronous
# standbys are still on their way must not block its own set-up. Patroni does both likewise
# (patroni/postgresql/bootstrap.py).
_QUIET = """
SET LOCAL log_statement = 'none';
SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_error_statement = 'panic';
SET LOCAL pg_stat_statements.track_utility = 'off';
SET LOCAL pgaudit.log = 'none';
SET LOCAL synchronous_commit = 'local';
"""


def plan_roles(settings: ConnectSettings, specs: Sequence[RoleSpec]) -> Changes:
    """What differs between the declared roles and those of the leader.

    Raises:
        UnreachableError: the leader does not answer. RefusedError: the server is a replica.
    """
    with session(settings) as connection:
        require_leader(connection, settings)
        return _role_changes(specs, observe_roles(connection, specs))


def apply_roles(settings: ConnectSettings, specs: Sequence[RoleSpec]) -> Changes:
    """Create and repair the roles in one transaction; returns what differed before."""
    with session(settings) as connection:
        require_leader(connection, settings)
        observed = observe_roles(connection, specs)
        changes = _role_changes(specs, observed)
        if changes:
            connection.execute(_QUIET)
        for spec in specs:
            if _role_name(spec) in changes:
                _run(connection, role_statements(spec, observed[spec.name]))
        return changes


def plan_databases(settings: ConnectSettings, spec: DatabaseSpec) -> Changes:
    """What differs in the databases: the application's, and the product's own objects.

    Args:
        settings: the leader, as superuser, in the database postgres.
    """
    with session(settings) as connection:
        require_leader(connection, settings)
        objects = observe_objects(connection)
        database = observe_database(connection, spec)
    return _database_changes(spec, objects, _with_schema(settings, spec, database))


def apply_databases(settings: ConnectSettings, spec: DatabaseSpec) -> Changes:
    """Create and repair them, one transaction per database; returns what differed before."""
    with session(settings) as connection:
        require_leader(connection, settings)
        objects = observe_objects(connection)
        database = observe_database(connection, spec)
    database = _with_schema(settings, spec, database)
    changes = _database_changes(spec, objects, database)
    if DECLARED_OBJECTS.keys() & changes.keys():
        with session(settings) as connection:
            connection.execute("SET LOCAL synchronous_commit = 'local'")
            create_objects(connection, objects)
    if _database_name(spec) in changes:
        _apply_database(settings, spec, database)
    return changes


def _apply_database(
    settings: ConnectSettings, spec: DatabaseSpec, observed: Mapping[str, Any] | None
) -> None:
    if observed is None:
        with session(settings, autocommit=True) as connection:
            connection.execute(create_statement(spec))
    with session(settings) as connection:
        _run(connection, database_statements(spec, observed))
    with session(settings.to_database(spec.name)) as connection:
        _run(connection, public_schema_statements(spec, observe_public_schema(connection)))


def _with_schema(
    settings: ConnectSettings, spec: DatabaseSpec, observed: dict[str, Any] | None
) -> dict[str, Any] | None:
    if observed is None:
        return None
    with session(settings.to_database(spec.name)) as connection:
        return {**observed, "public_schema_owner": observe_public_schema(connection)}


def _role_changes(
    specs: Sequence[RoleSpec], observed: Mapping[str, Mapping[str, Any] | None]
) -> Changes:
    declared = {_role_name(spec): spec.view() for spec in specs}
    return diff({_role_name(spec): observed[spec.name] for spec in specs}, declared)


def _database_changes(
    spec: DatabaseSpec,
    objects: Mapping[str, Mapping[str, Any] | None],
    database: Mapping[str, Any] | None,
) -> Changes:
    name = _database_name(spec)
    return diff({**objects, name: database}, {**DECLARED_OBJECTS, name: spec.view()})


def _role_name(spec: RoleSpec) -> str:
    return f"role {spec.name}"


def _database_name(spec: DatabaseSpec) -> str:
    return f"database {spec.name}"


def _run(connection: Connection, statements: Sequence[Any]) -> None:
    for statement in statements:
        connection.execute(statement)
