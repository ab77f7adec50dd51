"""What etcd says no with, one class per meaning.

    RefusedError
    ├── NoQuorumError       too few voters answer: nothing can be read consistently or written
    ├── NotYetError         etcd wants its members connected for 5 s before it changes membership
    └── LearnerError        a learner serves only itself; ask a voter
    ConflictError           the member or its peer address is there already
    NotFoundError           no such member

The gateway gives only a gRPC code and etcd's message, and the code is the same for most of them,
so the message decides. Messages: api/v3rpc/rpctypes/error.go of etcd 3.5.
"""

from __future__ import annotations

from pgha.errors import ConflictError, NotFoundError, PghaError, RefusedError


class NoQuorumError(RefusedError):
    """Too few voters answer."""


class NotYetError(RefusedError):
    """Membership cannot change at this moment; asking again soon may succeed."""


class LearnerError(RefusedError):
    """The asked member is a learner."""


_MEANINGS: dict[str, tuple[type[PghaError], str]] = {
    "etcdserver: request timed out": (
        NoQuorumError,
        "has no quorum; start the voters that are down, see `pgha-logs etcd` on each",
    ),
    "etcdserver: no leader": (
        NoQuorumError,
        "has no leader; start the voters that are down, see `pgha-logs etcd` on each",
    ),
    "etcdserver: leader changed": (NoQuorumError, "has just changed its leader; run it again"),
    "etcdserver: unhealthy cluster": (
        NotYetError,
        "does not change its members while one of them is not connected; wait until all are up",
    ),
    "etcdserver: can only promote a learner member which is in sync with leader": (
        NotYetError,
        "does not promote a learner that has not caught up yet; wait a moment",
    ),
    "etcdserver: rpc not supported for learner": (
        LearnerError,
        "is a learner and does not serve clients; ask a voter",
    ),
    "etcdserver: too many learner members in cluster": (
        RefusedError,
        "takes no further learner; raise `experimental-max-learners` in every etcd.yml",
    ),
    "etcdserver: member ID already exist": (
        ConflictError,
        "has a member at that peer address already; see `etcdctl member list`",
    ),
    "etcdserver: Peer URLs already exists": (
        ConflictError,
        "has a member at that peer address already; see `etcdctl member list`",
    ),
    "etcdserver: member not found": (
        NotFoundError,
        "has no such member; see `etcdctl member list`",
    ),
}


def meaning(source: str, status: int, message: str) -> PghaError:
    """The error for an answer that is not 200.

    Args:
        source: the server as sentences call it.
        status: HTTP status.
        message: etcd's own message.
    """
    known = _MEANINGS.get(message)
    if known:
        kind, text = known
        return kind(f"{source} {text}.")
    return RefusedError(f"{source} answered {status}: {message}.")
