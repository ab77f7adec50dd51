"""What an application on a server sees: writing and reading through the hostname.

The roles' password is the monitor's; certificates are verified against the hostname, so a wrong
address in the hosts file shows as what it is. A token is written for the node and looked for again,
because a port that accepts connections proves little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pgha.errors import FailedError, PghaError, RefusedError
from pgha.pg.heartbeat import INTERVAL_S, new_token, wait_token, write_token
from pgha.pg.settings import ConnectSettings, member_settings
from pgha.pool.console import pool_paused
from pgha.render.accounts import MONITOR
from pgha.render.places import CONFIG_ROOT
from pgha.topology import Node, Topology
from pgha.transport import in_parallel
from pgha.wait import Pending, poll

ATTEMPT_TIMEOUT_S = 5.0
PAUSED = (
    "the pool of {host} is paused: a switchover is running, or one was interrupted and its guard "
    "lets the clients go within half a minute; at once: `salt {host} postgres_pool.resume`"
)
Outcome = dict[str, Any]


@dataclass(frozen=True)
class Routes:
    """The three ways in from one server, and the members behind them.

    Args:
        node: the server from which the check is made; its name is the token's key.
        password: of the role pgha_monitor.
    """

    topology: Topology
    node: Node
    password: str = field(repr=False)
    config_root: str = CONFIG_ROOT

    def read_write(self, timeout_s: float = ATTEMPT_TIMEOUT_S) -> ConnectSettings:
        return self._through_hostname(self.topology.port, timeout_s)

    def read_only(self, timeout_s: float = ATTEMPT_TIMEOUT_S) -> ConnectSettings:
        return self._through_hostname(self.topology.replica_port, timeout_s)

    def pool(self, timeout_s: float = ATTEMPT_TIMEOUT_S) -> ConnectSettings:
        return self._through_hostname(self.topology.pool_port, timeout_s, pooled=True)

    def member(self, node: Node, timeout_s: float = ATTEMPT_TIMEOUT_S) -> ConnectSettings:
        return member_settings(
            self.topology,
            node,
            MONITOR,
            self.password,
            timeout_s=timeout_s,
            config_root=self.config_root,
        )

    def _through_hostname(
        self, port: int, timeout_s: float, *, pooled: bool = False
    ) -> ConnectSettings:
        return ConnectSettings(
            host=self.topology.hostname,
            port=port,
            user=MONITOR,
            password=self.password,
            where=self.topology.hostname,
            ca_file=f"{self.config_root}/{self.topology.cluster}/ca.crt",
            timeout_s=timeout_s,
            pooled=pooled,
        )


def check(
    topology: Topology,
    node: Node,
    password: str,
    *,
    deadline_s: float = 10.0,
    config_root: str = CONFIG_ROOT,
) -> dict[str, Outcome]:
    """Try the three ways in once; never raises for one that does not work.

    Returns:
        ``{"read_write" | "read_only" | "pool": {"ok": bool, "server": ip or None, "error": sentence
        or None}}``.
    """
    routes = Routes(topology, node, password, config_root)
    until = time.monotonic() + deadline_s
    first = min(ATTEMPT_TIMEOUT_S, deadline_s / 2)
    token = new_token()

    def write() -> str:
        return _address(write_token(routes.read_write(first), node.name, token))

    def pool() -> str:
        return _address(write_token(routes.pool(first), f"{node.name} (pool)", new_token()))

    outcomes = in_parallel({"read_write": lambda: _outcome(write), "pool": lambda: _outcome(pool)})
    if not outcomes["pool"]["ok"] and pool_paused(
        topology, node, password, config_root=config_root
    ):
        outcomes["pool"]["error"] = PAUSED.format(host=node.host)
    left = max(until - time.monotonic(), 1.0)
    written = token if outcomes["read_write"]["ok"] else None
    outcomes["read_only"] = _outcome(lambda: _read(routes, written, left))
    return {name: outcomes[name] for name in ("read_write", "read_only", "pool")}


def prove(
    topology: Topology,
    node: Node,
    password: str,
    *,
    deadline_s: float = 30.0,
    config_root: str = CONFIG_ROOT,
) -> dict[str, Any]:
    """Write through the hostname and read the token on every replica, waiting for both.

    Returns:
        ``{"written_to": node name, "seen_on": [node names]}``.

    Raises:
        FailedError: one sentence for each path that did not work within the deadline.
    """
    routes = Routes(topology, node, password, config_root)
    until = time.monotonic() + deadline_s
    token = new_token()
    try:
        leader_ip = _write_until(routes, token, deadline_s)
    except PghaError as err:
        raise FailedError(str(err)) from err
    leader = _node_at(topology, leader_ip)
    replicas = [replica for replica in topology.nodes if replica.ip != leader_ip]
    left = max(until - time.monotonic(), 1.0)

    def sees(replica: Node) -> Callable[[], Outcome]:
        return lambda: _outcome(lambda: replica_sees(routes, replica, token, left))

    seen = in_parallel({replica.name: sees(replica) for replica in replicas})
    failures = [str(outcome["error"]) for outcome in seen.values() if not outcome["ok"]]
    if failures:
        raise FailedError(" ".join(failures))
    return {"written_to": leader, "seen_on": list(seen)}


def replica_sees(routes: Routes, replica: Node, token: str, deadline_s: float) -> str:
    """Read the token at the replica's own port; returns its address.

    Raises:
        TimedOutError: it did not arrive. RefusedError: that server is no replica.
    """
    settings = routes.member(replica, min(ATTEMPT_TIMEOUT_S, deadline_s))
    seen = wait_token(settings, routes.node.name, token, deadline_s)
    if not seen["in_recovery"]:
        raise RefusedError(
            f"{settings.source} is not a replica although another server takes the writes; "
            "look at `patroni.status` at once."
        )
    return _address(seen)


def _write_until(routes: Routes, token: str, deadline_s: float) -> str:
    def attempt() -> str | Pending:
        try:
            return _address(write_token(routes.read_write(), routes.node.name, token))
        except (RefusedError, FailedError) as err:
            # A router that still leads to the old leader is put right within a second or two.
            return Pending(str(err))

    return poll(
        attempt,
        deadline_s=deadline_s,
        interval_s=INTERVAL_S,
        what=f"a write through {routes.topology.hostname}:{routes.topology.port}",
    )


def _read(routes: Routes, token: str | None, deadline_s: float) -> str:
    settings = routes.read_only(min(ATTEMPT_TIMEOUT_S, deadline_s))
    seen = wait_token(settings, routes.node.name, token, deadline_s)
    if not seen["in_recovery"] and len(routes.topology.nodes) > 1:
        raise RefusedError(
            f"{settings.source} leads to {_address(seen)}, which is no replica; "
            "see `pgha-logs router` here."
        )
    return _address(seen)


def _outcome(attempt: Callable[[], str]) -> Outcome:
    try:
        return {"ok": True, "server": attempt(), "error": None}
    except PghaError as err:
        return {"ok": False, "server": None, "error": str(err)}


def _address(answer: dict[str, Any]) -> str:
    # PostgreSQL shows addresses as networks: 172.28.0.20/32.
    return str(answer["server_ip"]).split("/")[0]


def _node_at(topology: Topology, ip: str) -> str:
    return next((node.name for node in topology.nodes if node.ip == ip), ip)
