"""A cluster that answers at once: roles, routers and pools change as the test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgha.errors import RefusedError, TimedOutError, UnreachableError
from pgha.patroni.models import Cluster, Member
from pgha.pool.pools import Pools
from pgha.topology import Node
from tests.support.clusters import topology


class FakeConsole:
    """One connection to a pool of the world."""

    def __init__(self, world: World, node: Node) -> None:
        self.world, self.node = world, node

    def is_paused(self) -> bool:
        return self.node.host in self.world.held

    def busy(self) -> int:
        return self.world.busy.get(self.node.host, 0)

    def pause(self, limit_s: float) -> None:
        self.world.did.append(f"pause {self.node.name}")
        self.world.held.add(self.node.host)
        if self.busy():
            raise TimedOutError(f"PgBouncer on {self.node.host} did not finish PAUSE.")

    def resume(self) -> bool:
        self.world.did.append(f"resume {self.node.name}")
        self.world.held.discard(self.node.host)
        return True

    def close(self) -> None:
        pass


class FakePatroni:
    """Patroni of one node of the world."""

    def __init__(self, world: World, node: Node) -> None:
        self.world, self.node = world, node

    def is_primary(self) -> bool:
        return self.world.leader == self.node

    def member(self) -> Any:
        behind = self.node in self.world.behind
        return type("Own", (), {"timeline": self.world.timeline - behind})

    def cluster(self) -> Cluster:
        names = [node.name for node in self.world.topology.nodes if node not in self.world.down]
        return Cluster(tuple(Member(name, "replica", "streaming") for name in names))

    def switchover(self, leader: str, candidate: str, timeout_s: float) -> str:
        self.world.did.append(f"switchover {leader} {candidate}")
        return self.world.when_asked(self.world.topology.node(candidate))


class World:
    """``did`` is what was asked of it, in order; implements what `Reach` offers."""

    def __init__(self) -> None:
        self.topology = topology()
        self.leader: Node | None = self.topology.nodes[0]
        self.timeline = 4
        self.held: set[str] = set()
        self.busy: dict[str, int] = {}
        self.deaf: set[str] = set()
        self.stuck_routers: set[str] = set()
        self.down: set[Node] = set()
        self.behind: set[Node] = set()
        self.did: list[str] = []
        self.when_asked: Callable[[Node], str] = self.promote

    def promote(self, node: Node) -> str:
        self.leader = node
        self.timeline += 1
        return "ok"

    def refuse(self, _: Node) -> str:
        raise RefusedError("Patroni answered 412: no good candidates have been found.")

    def patroni(self, node: Node) -> Any:
        return FakePatroni(self, node)

    def pools(self) -> Pools:
        return Pools(self.topology.nodes, self._console)  # type: ignore[arg-type]

    def takes_writes(self, node: Node) -> bool:
        if node in self.down:
            raise UnreachableError(f"PostgreSQL on {node.host} cannot be reached.")
        return self.leader == node

    def leads_to(self, node: Node) -> str | None:
        self.did.append(f"route {node.name}")
        return self.leader.ip if self.leader and node.host not in self.stuck_routers else None

    def replica_lags(self, leader: Node) -> dict[str, int | None]:
        return {node.name: 0 for node in self.topology.nodes if node not in (leader, *self.down)}

    def _console(self, node: Node) -> FakeConsole:
        if node.host in self.deaf:
            raise UnreachableError(f"the pool on {node.host} cannot be reached.")
        return FakeConsole(self, node)
