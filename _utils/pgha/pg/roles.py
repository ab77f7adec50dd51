"""The roles of a cluster: what they should be, what they are, and the statements in between.

Patroni creates superuser, replicator and rewind when it initialises the cluster and never looks at
them again (patroni/postgresql/bootstrap.py, ``post_bootstrap``); it hashes their passwords with a
salt of its own. So all roles are compared here, and a verifier that is not the one derived from the
password on the Salt master is replaced, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from pgha.pg.session import Connection
from pgha.render.accounts import MONITOR, PGBOUNCER, REPLICATOR, REWIND, SUPERUSER
from pgha.topology import Topology

# What pg_rewind needs to read a server without being superuser.
# https://www.postgresql.org/docs/current/app-pgrewind.html#id-1.9.5.10.8 and Patroni's bootstrap.
REWIND_FUNCTIONS = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)

# The exporter compares the rules of all members; pg_monitor alone may not read them.
MONITOR_FUNCTIONS = ("pg_hba_file_rules()",)

_ATTRIBUTES = {
    "login": "LOGIN",
    "superuser": "SUPERUSER",
    "createdb": "CREATEDB",
    "createrole": "CREATEROLE",
    "replication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
}

_OBSERVE = """
SELECT r.rolname, r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolreplication,
       r.rolbypassrls, r.rolpassword,
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid
             WHERE m.member = r.oid),
       ARRAY(SELECT f FROM unnest(%(functions)s::text[]) f
             WHERE has_function_privilege(r.oid, f, 'EXECUTE'))
  FROM pg_authid r WHERE r.rolname = ANY(%(names)s)
"""


@dataclass(frozen=True)
class RoleSpec:
    """A role as declared. Attributes that are not named are off, except for a superuser.

    Args:
        attributes: of login, superuser, createdb, createrole, replication, bypassrls.
        memberships: roles it must belong to; further ones are the operator's business.
        functions: functions of the database postgres that it must be allowed to call.
        verifier: the SCRAM text of ``pg_authid.rolpassword``; never shown.
    """

    name: str
    verifier: str = field(repr=False)
    attributes: frozenset[str] = frozenset({"login"})
    memberships: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()

    def view(self) -> dict[str, Any]:
        """The declaration in the form that `observe_roles` gives."""
        # A superuser may do everything anyway; its other attributes mean nothing.
        named = ("login", "superuser") if "superuser" in self.attributes else tuple(_ATTRIBUTES)
        attributes = {name: name in self.attributes for name in named}
        return {
            **attributes,
            "password": "as declared",
            **({"member_of": sorted(self.memberships)} if self.memberships else {}),
            **({"may_call": sorted(self.functions)} if self.functions else {}),
        }


def declared_roles(topology: Topology, verifiers: Mapping[str, str]) -> tuple[RoleSpec, ...]:
    """Every role of the cluster.

    Args:
        verifiers: by the names of the secret store: superuser, replicator, rewind, monitor,
            pgbouncer, app.
    """
    return (
        RoleSpec(SUPERUSER, verifiers["superuser"], frozenset({"login", "superuser"})),
        RoleSpec(REPLICATOR, verifiers["replicator"], frozenset({"login", "replication"})),
        RoleSpec(REWIND, verifiers["rewind"], functions=REWIND_FUNCTIONS),
        RoleSpec(
            MONITOR,
            verifiers["monitor"],
            memberships=("pg_monitor",),
            functions=MONITOR_FUNCTIONS,
        ),
        RoleSpec(PGBOUNCER, verifiers["pgbouncer"]),
        RoleSpec(topology.app_user, verifiers["app"]),
    )


def observe_roles(
    connection: Connection, specs: Iterable[RoleSpec]
) -> dict[str, dict[str, Any] | None]:
    """Each role as it is, reduced to what its declaration speaks of; None when it is absent.

    The password is one of "as declared", "different", "none": the verifier itself stays here.
    """
    by_name = {spec.name: spec for spec in specs}
    functions = [f"pg_catalog.{f}" for f in (*REWIND_FUNCTIONS, *MONITOR_FUNCTIONS)]
    rows = connection.execute(_OBSERVE, {"names": list(by_name), "functions": functions}).fetchall()
    found = {row[0]: _observed(by_name[row[0]], row) for row in rows}
    return {name: found.get(name) for name in by_name}


def _observed(spec: RoleSpec, row: tuple[Any, ...]) -> dict[str, Any]:
    _, *flags, verifier, memberships, functions = row
    callable_now = {name.removeprefix("pg_catalog.") for name in functions}
    everything = {
        **dict(zip(_ATTRIBUTES, flags, strict=True)),
        "password": _password_state(spec, verifier),
        "member_of": sorted(set(memberships) & set(spec.memberships)),
        "may_call": sorted(callable_now & set(spec.functions)),
    }
    return {key: everything[key] for key in spec.view()}


def _password_state(spec: RoleSpec, verifier: str | None) -> str:
    if verifier is None:
        return "none"
    return "as declared" if verifier == spec.verifier else "different"


def role_statements(spec: RoleSpec, observed: Mapping[str, Any] | None) -> list[sql.Composable]:
    """Statements that bring a role from its observed state to the declared one."""
    name = sql.Identifier(spec.name)
    statements: list[sql.Composable] = []
    if observed is None:
        statements.append(sql.SQL("CREATE ROLE {}").format(name))
    attributes = _attributes(spec, observed or {})
    if attributes:
        options = sql.SQL(" ").join(sql.SQL(option) for option in attributes)
        statements.append(sql.SQL("ALTER ROLE {} {}").format(name, options))
    if not observed or observed["password"] != "as declared":  # noqa: S105 (a word, not a password)
        statements.append(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(spec.verifier))
        )
    return [*statements, *_grants(spec, name)]


def _attributes(spec: RoleSpec, observed: Mapping[str, Any]) -> list[str]:
    view = spec.view()
    return [
        keyword if view[attribute] else f"NO{keyword}"
        for attribute, keyword in _ATTRIBUTES.items()
        if attribute in view and view[attribute] != observed.get(attribute)
    ]


def _grants(spec: RoleSpec, name: sql.Identifier) -> list[sql.Composable]:
    memberships: list[sql.Composable] = [
        sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), name) for group in spec.memberships
    ]
    functions: list[sql.Composable] = [
        sql.SQL("GRANT EXECUTE ON FUNCTION pg_catalog.{} TO {}").format(sql.SQL(function), name)
        for function in spec.functions
    ]
    return [*memberships, *functions]
