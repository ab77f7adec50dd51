"""An etcd gateway whose answers have the shapes that etcd 3.5.16 gave (recorded by hand)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from pgha.etcd.client import EtcdClient
from pgha.render.etcd import peer_url
from pgha.topology import Node, Topology
from tests.unit.clients.servers import Reply, Route, serve

HEADER = {"cluster_id": "17300438976491492131", "member_id": "13668033151171901709"}
NO_QUORUM: Reply = (503, {"code": 14, "message": "etcdserver: request timed out"})
NOT_YET: Reply = (503, {"code": 14, "message": "etcdserver: unhealthy cluster"})
LEARNER: Reply = (503, {"code": 14, "message": "etcdserver: rpc not supported for learner"})
EXISTS: Reply = (400, {"code": 9, "message": "etcdserver: member ID already exist"})


class Gateway:
    """Members as etcd lists them; ``first`` are answers given before the usual one, by verb."""

    def __init__(self, members: list[dict[str, Any]]) -> None:
        self.members = members
        self.first: dict[str, list[Reply]] = {}
        self.quorum = True
        self.is_learner = False

    def routes(self) -> dict[str, Route]:
        return {
            "POST /v3/kv/range": self._answer("range", lambda _: {}),
            "POST /v3/cluster/member/list": self._answer("list", self._list),
            "POST /v3/cluster/member/add": self._answer("add", self._add),
            "POST /v3/cluster/member/promote": self._answer("promote", self._promote),
            "POST /v3/cluster/member/remove": self._answer("remove", self._remove),
            "POST /v3/maintenance/status": lambda _: (200, self._status()),
        }

    def _answer(self, verb: str, usual: Any) -> Route:
        def answer(body: Any) -> Reply:
            if self.first.get(verb):
                return self.first[verb].pop(0)
            if not self.quorum:
                return NO_QUORUM
            return 200, {"header": HEADER, **usual(body)}

        return answer

    def _list(self, _: Any) -> dict[str, Any]:
        return {"members": self.members}

    def _add(self, body: Any) -> dict[str, Any]:
        # etcd leaves out the name until the member has started, and isLearner when it is false.
        added = {"ID": "16241251467663259837", "peerURLs": body["peerURLs"]}
        if body["isLearner"]:
            added["isLearner"] = True
        self.members.append(added)
        return {"member": added, "members": self.members}

    def _promote(self, body: Any) -> dict[str, Any]:
        for member in self.members:
            if member["ID"] == body["ID"]:
                member.pop("isLearner", None)
        return {"members": self.members}

    def _remove(self, body: Any) -> dict[str, Any]:
        self.members[:] = [member for member in self.members if member["ID"] != body["ID"]]
        return {"members": self.members}

    def _status(self) -> dict[str, Any]:
        leader: dict[str, Any] = {"leader": HEADER["member_id"]} if self.quorum else {}
        if self.is_learner:
            leader["isLearner"] = True
        return {"header": HEADER, "version": "3.5.16", "dbSize": "20480", **leader}


def member(topology: Topology, node_name: str, number: int, **more: Any) -> dict[str, Any]:
    """A started member of the topology in the gateway's words."""
    node = topology.node(node_name)
    return {
        "ID": str(number),
        "name": node_name,
        "peerURLs": [peer_url(topology, node)],
        "clientURLs": [f"https://{node.ip}:2379"],
        **more,
    }


def voters(topology: Topology) -> list[dict[str, Any]]:
    return [member(topology, name, 11 + i) for i, name in enumerate(topology.voters)]


@contextmanager
def cluster_of(gateway: Gateway, topology: Topology, silent: Sequence[str] = ()) -> Iterator[Any]:
    """A ``client_for`` whose nodes all serve the gateway, except the silent ones (port closed)."""
    with ExitStack() as stack:
        url = stack.enter_context(serve(gateway.routes())).url

        def client_for(node: Node) -> EtcdClient:
            dead = node.name in silent
            return EtcdClient("http://127.0.0.1:1" if dead else url, timeout=1, where=node.host)

        yield client_for
