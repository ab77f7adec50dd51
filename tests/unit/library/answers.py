"""What the four servers of the figure answer when all is well; tests break one thing each."""

from __future__ import annotations

from typing import Any

from pgha.topology import Topology

NOW = 1_800_000_000.0


class World:
    """Everybody's answers, as `pgha.status.assemble` takes them; of the figure unless told."""

    def __init__(self, topology: Topology | None = None) -> None:
        self.topology = topology or Topology.from_pillar({})
        self.patroni: dict[str, Any] = {}
        self.etcd: dict[str, Any] = {}
        self.routes: dict[str, Any] = {}
        self.coolify: Any = {"reachable": True, "stacks": {}, "error": None}
        names = [node.name for node in self.topology.nodes]
        members = [node.name for node in self.topology.nodes_with("etcd")]
        for place, node in enumerate(self.topology.nodes):
            self.patroni[node.host] = self._member(place, names)
            self.etcd[node.host] = {
                "node": node.name,
                "healthy": True,
                "is_leader": place == 1,
                "is_learner": node.name in self.topology.learners,
                "is_client": node.name not in members,
                "members": [{"name": name} for name in members],
                "error": None,
            }
            self.routes[node.host] = {
                "read_write": {"ok": True, "server": "172.28.0.20", "error": None},
                "read_only": {"ok": True, "server": "172.28.0.21", "error": None},
                "pool": {"ok": True, "server": "172.28.0.20", "error": None},
            }
            for component in ("etcd", "patroni", "router", "exporter"):
                stack = f"{self.topology.cluster}-{node.name}-{component}"
                if self.topology.runs(node, component):
                    self.coolify["stacks"][stack] = "running:healthy"

    @staticmethod
    def _member(place: int, names: list[str]) -> dict[str, Any]:
        return {
            "node": names[place],
            "role": "leader" if place == 0 else "replica",
            "state": "running" if place == 0 else "streaming",
            "timeline": 3,
            "lag_bytes": None if place == 0 else 20480,
            "leader": names[0],
            "members": [{"name": name} for name in names],
            "pending_restart": False,
            "pending_restart_reason": {},
            "paused": False,
            "error": None,
        }

    def silence(self, host: str) -> None:
        for answers in (self.patroni, self.etcd, self.routes):
            answers[host] = None
