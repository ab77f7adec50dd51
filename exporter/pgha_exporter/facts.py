"""Everything known at one moment, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pgha_exporter.backup import Backup
from pgha_exporter.etcd.collector import EtcdFacts
from pgha_exporter.etcd.model import Peer
from pgha_exporter.failover import Verdict, judge
from pgha_exporter.patroni.model import Own, PatroniFacts
from pgha_exporter.postgres import PostgresFacts
from pgha_exporter.route import Route
from pgha_exporter.server import ServerFacts


@dataclass(frozen=True)
class Seen:
    """``/patroni`` of a member and the monotonic time of the answer."""

    own: Own
    at: float


@dataclass(frozen=True)
class Facts:
    """None (or a missing key) is what is not known at this moment.

    Attributes:
        member: this node.
        now: monotonic time.
        polled: ``/patroni`` of this node and of every member, asked at about the same time, some
            seconds ago.
        positions: last known (replay position, when) of every member, even of a silent one.
        etcd: by endpoint; every endpoint has a key.
    """

    member: str
    now: float
    patroni: PatroniFacts | None = None
    postgres: PostgresFacts | None = None
    polled: Mapping[str, Seen] = field(default_factory=dict)
    positions: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    etcd: Mapping[str, EtcdFacts | None] = field(default_factory=dict)
    routes: Mapping[str, Route] | None = None
    server: ServerFacts | None = None
    backups: Mapping[str, Backup] | None = None

    @property
    def own(self) -> Own | None:
        """``/patroni`` of this node."""
        seen = self.polled.get(self.member)
        return seen.own if seen else None

    @property
    def quorum_reads(self) -> list[EtcdFacts]:
        """What the etcd members said that could read with quorum."""
        return [facts for facts in self.etcd.values() if facts and facts.has_quorum]

    @property
    def has_quorum(self) -> bool:
        return bool(self.quorum_reads)

    @property
    def leader(self) -> str | None:
        """Holder of the leader key: with quorum from etcd, else as Patroni last knew."""
        reads = self.quorum_reads
        if reads:
            newest = max(reads, key=lambda facts: facts.at)
            return newest.leader.value if newest.leader else None
        in_patroni = self.patroni.cluster.leader if self.patroni else None
        return in_patroni.name if in_patroni else None

    @property
    def role(self) -> str:
        """One of `pgha_exporter.names.ROLES`: PostgreSQL decides, Patroni names the kind."""
        if self.postgres is None:
            return "none"
        known = self.patroni.cluster.member(self.member) if self.patroni else None
        kind = known.role if known else ""
        if not self.postgres.in_recovery:
            return "leader"
        kinds = ("standby_leader", "sync_standby", "quorum_standby")
        return kind if kind in kinds else "replica"

    @property
    def leader_position(self) -> tuple[int, float] | None:
        """The leader's WAL position as it said itself, and when."""
        leader = self.patroni.cluster.leader if self.patroni else None
        seen = self.polled.get(leader.name) if leader else None
        if seen is None or seen.own.location is None:
            return None
        return seen.own.location, seen.at

    def verdict(self, newest_lsn: int | None) -> Verdict | None:
        """Who could be promoted; None while Patroni does not say who is there."""
        if self.patroni is None:
            return None
        position = self.leader_position
        owns = {
            member.name: seen.own if (seen := self.polled.get(member.name)) else None
            for member in self.patroni.cluster.members
        }
        last = position[0] if position else newest_lsn
        return judge(self.patroni.cluster, self.patroni.config, owns, last)

    @property
    def etcd_members(self) -> tuple[Peer, ...]:
        """The newest member list that any member gave."""
        lists = [facts for facts in self.etcd.values() if facts and facts.members]
        return max(lists, key=lambda facts: facts.at).members if lists else ()
