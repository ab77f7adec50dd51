"""What the database ``postgres`` holds for the product: the heartbeat table and PgBouncer's lookup.

Both are compared by what PostgreSQL stores of them and put back as a whole when anything differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import sql

from pgha.pg.session import Connection
from pgha.render.accounts import MONITOR, PGBOUNCER, SUPERUSER

# PgBouncer looks up a client's verifier with this function. It answers for nobody whose login
# through the pool would be more than an application's: superusers, the roles that can copy the
# whole cluster, and PgBouncer's own. search_path is pinned because the function runs as its owner.
# https://www.pgbouncer.org/config.html#auth_query
AUTH_QUERY_BODY = """
  SELECT rolname::text, rolpassword
    FROM pg_catalog.pg_authid
   WHERE rolname = $1 AND rolcanlogin AND NOT rolsuper AND NOT rolreplication
     AND rolname NOT IN ('replicator', 'rewind', 'pgbouncer')
     AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now())
"""

OBJECTS_SQL = """
CREATE SCHEMA IF NOT EXISTS pgha;
ALTER SCHEMA pgha OWNER TO postgres;
CREATE TABLE IF NOT EXISTS pgha.heartbeat (
  node text PRIMARY KEY, token uuid NOT NULL, written_at timestamptz NOT NULL DEFAULT now());
ALTER TABLE pgha.heartbeat OWNER TO postgres;
GRANT USAGE ON SCHEMA pgha TO pgha_monitor;
GRANT SELECT, INSERT, UPDATE ON pgha.heartbeat TO pgha_monitor;

CREATE SCHEMA IF NOT EXISTS pgbouncer;
ALTER SCHEMA pgbouncer OWNER TO postgres;
REVOKE ALL ON SCHEMA pgbouncer FROM PUBLIC;
GRANT USAGE ON SCHEMA pgbouncer TO pgbouncer;
CREATE OR REPLACE FUNCTION pgbouncer.get_auth(text)
  RETURNS TABLE (usename text, passwd text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS {body};
ALTER FUNCTION pgbouncer.get_auth(text) OWNER TO postgres;
REVOKE ALL ON FUNCTION pgbouncer.get_auth(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(text) TO pgbouncer;
"""

DECLARED_OBJECTS: dict[str, dict[str, Any]] = {
    "table pgha.heartbeat": {
        "owner": SUPERUSER,
        "columns": ["node text", "token uuid", "written_at timestamp with time zone"],
        "granted": [f"{MONITOR} INSERT", f"{MONITOR} SELECT", f"{MONITOR} UPDATE"],
        "schema_usage": [MONITOR],
    },
    "function pgbouncer.get_auth": {
        "owner": SUPERUSER,
        "definition": "as declared",
        "granted": [f"{PGBOUNCER} EXECUTE"],
        "schema_usage": [PGBOUNCER],
    },
}

_HEARTBEAT = """
SELECT pg_get_userbyid(c.relowner)::text,
       ARRAY(SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
               FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       ARRAY(SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END
                    || ' ' || x.privilege_type
               FROM aclexplode(c.relacl) x WHERE x.grantee <> c.relowner ORDER BY 1),
       ARRAY(SELECT pg_get_userbyid(x.grantee)::text FROM aclexplode(n.nspacl) x
              WHERE x.privilege_type = 'USAGE' AND x.grantee <> n.nspowner ORDER BY 1)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'pgha' AND c.relname = 'heartbeat' AND c.relkind = 'r'
"""

_GET_AUTH = """
SELECT pg_get_userbyid(p.proowner)::text,
       p.prosrc = %s AND p.prosecdef
         AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql')
         AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp'],
       ARRAY(SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END
                    || ' ' || x.privilege_type
               FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
              WHERE x.grantee <> p.proowner ORDER BY 1),
       ARRAY(SELECT pg_get_userbyid(x.grantee)::text FROM aclexplode(n.nspacl) x
              WHERE x.privilege_type = 'USAGE' AND x.grantee <> n.nspowner ORDER BY 1)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'pgbouncer' AND p.proname = 'get_auth'
   AND p.proargtypes = ARRAY['text'::regtype]::oidvector
"""


def observe_objects(connection: Connection) -> dict[str, dict[str, Any] | None]:
    """The objects in the form of `DECLARED_OBJECTS`; None for one that is absent."""
    return {
        "table pgha.heartbeat": _heartbeat(connection),
        "function pgbouncer.get_auth": _get_auth(connection),
    }


def create_objects(
    connection: Connection, observed: Mapping[str, Mapping[str, Any] | None]
) -> None:
    """Create or put back everything; a heartbeat table of another shape loses its rows."""
    heartbeat, get_auth = (observed.get(name) for name in DECLARED_OBJECTS)
    if heartbeat and heartbeat["columns"] != DECLARED_OBJECTS["table pgha.heartbeat"]["columns"]:
        connection.execute("DROP TABLE pgha.heartbeat")
    connection.execute(sql.SQL(OBJECTS_SQL).format(body=sql.Literal(AUTH_QUERY_BODY)))
    for grantee in _strangers(get_auth):
        connection.execute(
            sql.SQL("REVOKE ALL ON FUNCTION pgbouncer.get_auth(text) FROM {}").format(
                sql.Identifier(grantee)
            )
        )


def _strangers(get_auth: Mapping[str, Any] | None) -> set[str]:
    granted = get_auth["granted"] if get_auth else []
    return {grant.rsplit(" ", 1)[0] for grant in granted} - {PGBOUNCER, "PUBLIC"}


def _heartbeat(connection: Connection) -> dict[str, Any] | None:
    row = connection.execute(_HEARTBEAT).fetchone()
    if row is None:
        return None
    owner, columns, granted, usage = row
    # Whom else an operator lets read the heartbeat is the operator's business.
    return {
        "owner": owner,
        "columns": columns,
        "granted": [grant for grant in granted if grant.startswith(f"{MONITOR} ")],
        "schema_usage": [role for role in usage if role == MONITOR],
    }


def _get_auth(connection: Connection) -> dict[str, Any] | None:
    row = connection.execute(_GET_AUTH, (AUTH_QUERY_BODY,)).fetchone()
    if row is None:
        return None
    owner, as_declared, granted, usage = row
    return {
        "owner": owner,
        "definition": "as declared" if as_declared else "different",
        "granted": granted,
        "schema_usage": [role for role in usage if role == PGBOUNCER],
    }
