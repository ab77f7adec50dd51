"""What an etcd member says, whichever way it was asked, and the interface of both ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

SILENCE_S = 90.0
"""A watch that was silent for so long is begun anew; an idle cluster writes nothing."""


@dataclass(frozen=True)
class Endpoint:
    """Where one member is, and with what it is asked; ``key_file`` belongs to ``cert_file``."""

    url: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    username: str = ""
    password_file: str = ""


@dataclass(frozen=True)
class MemberStatus:
    """The member's own state; answered without quorum. Sizes in bytes, 0 for what is not told."""

    member_id: int
    leader_id: int
    is_learner: bool
    db_size: int
    db_in_use: int
    db_quota: int
    raft_index: int
    raft_applied: int
    errors: tuple[str, ...]
    version: str = ""


@dataclass(frozen=True)
class Peer:
    """A line of the member list."""

    id: int
    name: str
    is_learner: bool
    client_urls: tuple[str, ...]


@dataclass(frozen=True)
class Value:
    """A key's value; ``lease`` is 0 without one."""

    key: str
    value: str
    lease: int = 0


@dataclass(frozen=True)
class Lease:
    """A lease that had ``left`` seconds at a monotonic time, rounded down as etcd does."""

    id: int
    left: float
    at: float


@dataclass(frozen=True)
class Event:
    """A change of a key; ``value`` is None when it was deleted."""

    key: str
    value: str | None


class Client(Protocol):
    """One member asked; every call is bounded by ``timeout`` seconds and raises SourceError."""

    def status(self, timeout: float) -> MemberStatus: ...

    def members(self, timeout: float) -> tuple[Peer, ...]: ...

    def get(self, key: str, timeout: float) -> Value | None:
        """Read with quorum; None when there is no such key."""

    def prefix(self, prefix: str, timeout: float) -> tuple[Value, ...]:
        """Every key that starts so, read with quorum."""

    def lease_remaining(self, lease: int, timeout: float) -> float | None:
        """Seconds that the lease has left; None when it is gone."""

    def watch(self, prefix: str) -> Iterator[Event]:
        """Changes below a prefix, until the connection ends (SourceError) or `close`."""

    def close(self) -> None: ...


def prefix_end(prefix: str) -> bytes:
    """The end of the range of keys that start so: the last byte counted up."""
    raw = prefix.encode()
    return raw[:-1] + bytes([raw[-1] + 1])
