"""A token written on the leader and looked for on replicas: the proof that replication works."""

from __future__ import annotations

import uuid
from typing import Any

from pgha.pg.session import session
from pgha.pg.settings import ConnectSettings
from pgha.wait import Pending, poll

INTERVAL_S = 0.1

_WRITE = """
INSERT INTO pgha.heartbeat (node, token, written_at) VALUES (%s, %s, now())
ON CONFLICT (node) DO UPDATE SET token = excluded.token, written_at = excluded.written_at
RETURNING inet_server_addr()::text, pg_current_wal_insert_lsn()::text
"""

_READ = """
SELECT inet_server_addr()::text, pg_is_in_recovery(),
       %(token)s::uuid IS NULL
       OR EXISTS (SELECT FROM pgha.heartbeat WHERE node = %(node)s AND token = %(token)s::uuid)
"""


def new_token() -> str:
    return str(uuid.uuid4())


def write_token(settings: ConnectSettings, node: str, token: str) -> dict[str, Any]:
    """Write a node's token; keys: server_ip and lsn of the server that took it.

    Raises:
        UnreachableError: no answer within the bound. RefusedError: that server takes no writes.
    """
    with session(settings) as connection:
        row = connection.execute(_WRITE, (node, token)).fetchone()
    assert row is not None
    return {"server_ip": row[0], "lsn": row[1]}


def wait_token(
    settings: ConnectSettings, node: str, token: str | None, deadline_s: float
) -> dict[str, Any]:
    """Look for a node's token until it is there; keys: server_ip, in_recovery.

    Without token any answer will do.

    Raises:
        TimedOutError: the token did not arrive; says what was seen last.
    """

    def check() -> dict[str, Any] | Pending:
        with session(settings) as connection:
            row = connection.execute(_READ, {"node": node, "token": token}).fetchone()
        assert row is not None
        server_ip, in_recovery, visible = row
        if not visible:
            return Pending(f"{server_ip} does not have it yet")
        return {"server_ip": server_ip, "in_recovery": in_recovery}

    return poll(
        check,
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"the token that {node} wrote, on {settings.source}",
    )
