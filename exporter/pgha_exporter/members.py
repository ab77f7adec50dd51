"""The cluster as its members tell it themselves, for as long as Patroni does not say who is there.

``/cluster`` needs etcd: when etcd refuses, Patroni (3.3 and 4.1 alike) tries for its retry_timeout
and then closes the connection without an answer. Members, lag and candidates do not go away with
etcd, least of all in failsafe mode, and every member answers for itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pgha_exporter.patroni.model import Cluster, Member, Own


def from_members(last: Cluster, owns: Mapping[str, Own]) -> Cluster:
    """Who was there last, each with what it says now.

    Args:
        last: as Patroni last knew it; names, addresses and tags are taken from it.
        owns: ``/patroni`` of the members that answer. The others get the state "unknown".
    """
    members = tuple(_member(member, owns.get(member.name)) for member in last.members)
    return dataclasses.replace(
        last, members=members, paused=any(own.paused for own in owns.values())
    )


def _member(last: Member, own: Own | None) -> Member:
    role = "replica" if last.leads else last.role
    if own is None:
        return Member(last.name, role, "unknown", last.api_url, tags=last.tags)
    if own.is_primary:
        role = "standby_leader" if own.role == "standby_leader" else "leader"
    return Member(
        last.name,
        role,
        own.replication_state or own.state,
        last.api_url,
        own.timeline,
        pending_restart=own.pending_restart,
        tags=last.tags,
    )
