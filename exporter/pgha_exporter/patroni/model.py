"""What Patroni says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LEADER_ROLES = ("leader", "standby_leader", "master")


@dataclass(frozen=True)
class Member:
    """One line of ``/cluster``; lags in bytes, None when unknown."""

    name: str
    role: str
    state: str
    api_url: str | None = None
    timeline: int | None = None
    receive_lag: int | None = None
    replay_lag: int | None = None
    pending_restart: bool = False
    tags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        return self.role in LEADER_ROLES


@dataclass(frozen=True)
class Cluster:
    """``/cluster``; ``scheduled_switchover`` as Unix time, 0 for none."""

    members: tuple[Member, ...]
    paused: bool = False
    scheduled_switchover: float = 0.0

    @property
    def leader(self) -> Member | None:
        return next((member for member in self.members if member.leads), None)

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True)
class Config:
    """``/config``; times in seconds, defaults as Patroni's own (patroni/global_config.py)."""

    ttl: float
    loop_wait: float
    retry_timeout: float
    maximum_lag: int
    synchronous_mode: str
    synchronous_nodes: int
    check_timeline: bool
    standby_cluster: bool
    hash: str

    @property
    def lease_at_renewal(self) -> float:
        """Seconds that the leader's lease has left when it is renewed in time."""
        return self.ttl - self.loop_wait


@dataclass(frozen=True)
class Own:
    """``/patroni`` of one member, answered by its PostgreSQL at this moment; LSNs in bytes."""

    role: str
    state: str
    timeline: int | None
    location: int | None
    received: int | None
    replayed: int | None
    nofailover: bool
    watchdog_failed: bool
    failsafe: bool
    pending_restart_settings: int
    patroni_version: str
    server_version: int | None
    system_identifier: str
    replication_state: str = ""
    paused: bool = False
    pending_restart: bool = False

    @property
    def is_primary(self) -> bool:
        return self.role in ("primary", "master", "standby_leader")

    @property
    def position(self) -> int | None:
        """As Patroni compares members: the larger of received and replayed."""
        known = [lsn for lsn in (self.received, self.replayed) if lsn is not None]
        return max(known) if known else self.location


@dataclass(frozen=True)
class PatroniFacts:
    """``last_change``: Unix time of the last line of the history, 0 for none.

    Not ``current``: Patroni lives but cannot say who is there, and this is as it last knew it.
    """

    cluster: Cluster
    config: Config | None
    last_change: float
    current: bool = True
