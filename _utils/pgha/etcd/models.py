"""What etcd's gateway says, as values. It writes 64-bit numbers as decimal text and omits zeros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Member:
    """One member. ``id`` is hexadecimal as in etcdctl; ``name`` is empty until it has started."""

    id: str
    name: str
    learner: bool
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Member:
        return cls(
            id=to_hex(raw["ID"]),
            name=str(raw.get("name", "")),
            learner=bool(raw.get("isLearner", False)),
            peer_urls=tuple(raw.get("peerURLs", ())),
            client_urls=tuple(raw.get("clientURLs", ())),
        )

    def line(self) -> dict[str, Any]:
        """The member for people: id, name, learner, peer_urls, client_urls."""
        return {
            "id": self.id,
            "name": self.name,
            "learner": self.learner,
            "peer_urls": list(self.peer_urls),
            "client_urls": list(self.client_urls),
        }


@dataclass(frozen=True)
class Status:
    """The asked member's own state; answered without quorum. Sizes in bytes, ids hexadecimal."""

    version: str
    member_id: str
    leader_id: str | None
    learner: bool
    db_size: int
    db_size_in_use: int
    raft_index: int
    errors: tuple[str, ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Status:
        leader = int(raw.get("leader", 0))
        return cls(
            version=str(raw.get("version", "")),
            member_id=to_hex(raw["header"]["member_id"]),
            leader_id=to_hex(leader) if leader else None,
            learner=bool(raw.get("isLearner", False)),
            db_size=int(raw.get("dbSize", 0)),
            db_size_in_use=int(raw.get("dbSizeInUse", 0)),
            raft_index=int(raw.get("raftIndex", 0)),
            errors=tuple(raw.get("errors", ())),
        )

    @property
    def is_leader(self) -> bool:
        return self.leader_id == self.member_id


def to_hex(number: str | int) -> str:
    return format(int(number), "x")


def from_hex(text: str) -> str:
    """The gateway's decimal text for a hexadecimal id."""
    return str(int(text, 16))
