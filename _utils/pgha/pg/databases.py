"""The application's database: owned by its user, closed to everybody else.

PUBLIC may not connect; the monitor may, to measure it. The schema ``public`` belongs to the
application's user, so migrations create and drop there as they please.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from pgha.pg.session import Connection
from pgha.render.accounts import MONITOR

_OBSERVE = """
SELECT pg_get_userbyid(d.datdba)::text, d.datallowconn,
       ARRAY(SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC'
                             ELSE pg_get_userbyid(x.grantee)::text END
               FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
              WHERE x.privilege_type = 'CONNECT' AND x.grantee <> d.datdba ORDER BY 1)
  FROM pg_database d WHERE d.datname = %s
"""

_OBSERVE_PUBLIC = (
    "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'public'"
)


@dataclass(frozen=True)
class DatabaseSpec:
    """A database as declared: its name and the role that owns it and its schema public."""

    name: str
    owner: str

    def view(self) -> dict[str, Any]:
        """The declaration in the form that `observe_database` gives."""
        return {
            "owner": self.owner,
            "public_may_connect": False,
            "monitor_may_connect": True,
            "public_schema_owner": self.owner,
        }


def observe_database(connection: Connection, spec: DatabaseSpec) -> dict[str, Any] | None:
    """What every database can tell of it; None when it is absent.

    Lacks ``public_schema_owner``, which only a connection to the database itself can see.
    """
    row = connection.execute(_OBSERVE, (spec.name,)).fetchone()
    if row is None:
        return None
    owner, _, connecting = row
    return {
        "owner": owner,
        "public_may_connect": "PUBLIC" in connecting,
        "monitor_may_connect": MONITOR in connecting,
    }


def observe_public_schema(connection: Connection) -> str | None:
    """Owner of the schema public, None when somebody dropped it."""
    row = connection.execute(_OBSERVE_PUBLIC).fetchone()
    return str(row[0]) if row else None


def create_statement(spec: DatabaseSpec) -> sql.Composed:
    """Must run outside a transaction."""
    return sql.SQL("CREATE DATABASE {} OWNER {}").format(
        sql.Identifier(spec.name), sql.Identifier(spec.owner)
    )


def database_statements(
    spec: DatabaseSpec, observed: Mapping[str, Any] | None
) -> list[sql.Composed]:
    """Owner and connection rights of an existing database; run in any database."""
    name, owner = sql.Identifier(spec.name), sql.Identifier(spec.owner)
    before = observed or {}
    statements = []
    if before.get("owner") != spec.owner:
        statements.append(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
    if before.get("public_may_connect") is not False:
        statements.append(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    if before.get("monitor_may_connect") is not True:
        statements.append(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(MONITOR))
        )
    return statements


def public_schema_statements(spec: DatabaseSpec, observed_owner: str | None) -> list[sql.Composed]:
    """Run in the database itself."""
    owner = sql.Identifier(spec.owner)
    if observed_owner is None:
        return [sql.SQL("CREATE SCHEMA public AUTHORIZATION {}").format(owner)]
    if observed_owner != spec.owner:
        return [sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner)]
    return []
