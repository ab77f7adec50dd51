"""How the hand-over reaches every server directly: Patroni, PostgreSQL, the router, the pool."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pgha.errors import PghaError, UnreachableError
from pgha.patroni import access
from pgha.patroni.client import PatroniClient
from pgha.pg.probe import replica_lags
from pgha.pg.session import session
from pgha.pg.settings import ConnectSettings, member_settings
from pgha.pool.console import Console, console_settings
from pgha.pool.pools import Pools
from pgha.render.accounts import MONITOR
from pgha.render.places import CONFIG_ROOT
from pgha.topology import Node, Topology

LOOK_TIMEOUT_S = 3.0
_WHO = "SELECT NOT pg_is_in_recovery(), host(inet_server_addr())"


@dataclass(frozen=True)
class Reach:
    """The servers of one cluster.

    Args:
        passwords: ``restapi``, ``monitor`` and ``pgbouncer``.
    """

    topology: Topology
    passwords: Mapping[str, str] = field(repr=False)
    config_root: str = CONFIG_ROOT

    def patroni(self, node: Node) -> PatroniClient:
        """Patroni of a node, also for verbs that change something."""
        password = self.passwords["restapi"]
        return access.client_for(self.topology, node, password, config_root=self.config_root)

    def pools(self) -> Pools:
        """The consoles of all pools, opened now."""
        return Pools(self.topology.nodes, self._console)

    def takes_writes(self, node: Node) -> bool:
        """Whether PostgreSQL of a node answers and is no replica."""
        return self._who(self._member(node))[0]

    def leads_to(self, node: Node) -> str | None:
        """Address of the writable server behind a node's router; None for a read-only one."""
        settings = ConnectSettings(
            host=self.topology.hostname,
            address=node.ip,
            port=self.topology.port,
            user=MONITOR,
            password=self.passwords["monitor"],
            where=node.host,
            ca_file=f"{self.config_root}/{self.topology.cluster}/ca.crt",
            timeout_s=LOOK_TIMEOUT_S,
        )
        writable, address = self._who(settings)
        return address if writable else None

    def replica_lags(self, leader: Node) -> dict[str, int | None]:
        """The replicas that stream from a leader; see `pgha.pg.probe.replica_lags`."""
        return replica_lags(self._member(leader))

    def _console(self, node: Node) -> Console:
        password = self.passwords["pgbouncer"]
        return Console(
            console_settings(self.topology, node, password, config_root=self.config_root)
        )

    def _member(self, node: Node) -> ConnectSettings:
        return member_settings(
            self.topology,
            node,
            MONITOR,
            self.passwords["monitor"],
            timeout_s=LOOK_TIMEOUT_S,
            config_root=self.config_root,
        )

    def _who(self, settings: ConnectSettings) -> tuple[bool, str]:
        with session(settings, autocommit=True) as connection:
            row = connection.execute(_WHO).fetchone()
        assert row is not None
        return bool(row[0]), str(row[1])


def overlapping(check: Callable[[], bool], *, interval_s: float, until: float) -> str | None:
    """Repeat a check that may hang, without waiting for the one before, until one says yes.

    A connection that came to a router too early waits there for a second or more although the next
    one would get through at once.

    Args:
        until: on the monotonic clock.

    Returns:
        None, or what was seen last when the time was over.
    """
    answers: queue.Queue[str | None] = queue.Queue()
    seen = "no answer"
    while (left := until - time.monotonic()) > 0:
        threading.Thread(target=partial(_tell, check, answers), daemon=True).start()
        try:
            answer = answers.get(timeout=min(interval_s, left))
            while answer is not None:
                seen = answer
                answer = answers.get(timeout=min(interval_s, left))
        except queue.Empty:
            continue
        return None
    return seen


def _tell(check: Callable[[], bool], answers: queue.Queue[str | None]) -> None:
    try:
        answers.put(None if check() else "it leads to another server")
    except PghaError as err:
        answers.put(str(err))


class Asked:
    """One request that goes on while we look at what it does."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.refusal: str | None = None
        self._call = call
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._call()
        except UnreachableError:
            # Patroni answers when all is over or not at all; neither says anything.
            return
        except PghaError as err:
            self.refusal = str(err)
